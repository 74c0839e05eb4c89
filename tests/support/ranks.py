"""What the processes of test_distributed.py and test_processes.py do; each leaves a file of facts.

Spawned processes import their function by name, so it cannot stand in a test file.
"""

import copy
import os
import socket
from types import SimpleNamespace

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from recbole_dsl.common import distributed
from recbole_dsl.common.distributed import World
from recbole_dsl.data.loaders import sharding
from recbole_dsl.evaluation.gather import gather


def facts_of(function, size, folder, *arguments):
    """Call function(*arguments) -> facts in ``size`` gloo processes; the facts, by rank."""
    store = dist.TCPStore("localhost", 0, is_master=True, wait_for_workers=False)
    mp.spawn(_joined, (function, size, store.port, str(folder), arguments), nprocs=size)
    return [torch.load(f"{folder}/facts.{rank}", weights_only=False) for rank in range(size)]


def _joined(rank, function, size, port, folder, arguments):
    os.chdir(folder)
    store = dist.TCPStore("localhost", port, is_master=False)
    with distributed.joined(World(rank, size, rank, size), store=store):
        torch.save(function(*arguments), f"facts.{rank}")


# For test_distributed.py: torch alone ------------------------------------------------------------


def parameters(rank):
    """Parameters with gradients that depend on the rank: dense, sparse, of some ranks, of none."""
    generator = torch.Generator().manual_seed(rank)
    kinds = ("dense", "double", "of_last", "of_none", "frozen", "sparse", "sparse_of_first")
    found = {name: torch.nn.Parameter(torch.zeros(5, 3)) for name in kinds}
    found["double"] = torch.nn.Parameter(torch.zeros(4, dtype=torch.float64))

    def draw(like):
        return torch.randn(like.shape, generator=generator, dtype=like.dtype)

    found["dense"].grad = draw(found["dense"])
    found["double"].grad = draw(found["double"])
    found["of_last"].grad = draw(found["of_last"])
    rows = torch.randint(5, (1, 3 + rank), generator=generator)
    values = torch.randn(3 + rank, 3, generator=generator)
    for name in ("sparse", "sparse_of_first"):
        found[name].grad = torch.sparse_coo_tensor(rows, values, (5, 3), check_invariants=True)
    found["frozen"].requires_grad_(False)
    return found


def exchanges():
    rank, size = distributed.world().rank, distributed.world().size
    mine = parameters(rank)
    if rank != size - 1:
        mine["of_last"].grad = None
    if rank != 0:
        mine["sparse_of_first"].grad = None
    average = distributed.GradientAverage(mine.values())
    average()
    first = {name: copy.deepcopy(p.grad) for name, p in mine.items()}
    for parameter in mine.values():
        parameter.grad = None
    mine["dense"].grad = torch.full((5, 3), float(rank))
    average()

    struct = SimpleNamespace(_data_dict={"data.num_items": 7, "data.count": torch.ones(2)})
    struct.set = struct._data_dict.__setitem__
    if rank != 1:  # the second process had no user
        struct._data_dict["rec.topk"] = torch.full((rank + 1, 2), rank, dtype=torch.int32)
        struct._data_dict["data.label"] = torch.full((rank + 2,), float(rank))
    copied, summed = torch.full((3, 2), float(rank)).T, torch.tensor([rank, 1.0])
    distributed.copy_from_main([copied])
    distributed.add_up([summed])
    return {
        "first": first,
        "second": {name: p.grad for name, p in mine.items()},
        "rows": distributed.gather_rows(torch.full((rank, 2), rank)),
        "struct": gather(struct)._data_dict,
        "copied": copied,
        "summed": summed,
        "plain": distributed.from_main({"from": rank}),
        "all": distributed.from_all(rank),
        "parts": [list(distributed.own_part(n)) for n in (0, 1, 7, 12)],
        "seed": distributed.own_seed(2020),
        "threads": torch.get_num_threads(),
        "backend": distributed.backend(torch.device("cpu")),
    }


# For test_processes.py: whole runs ----------------------------------------------------------------

QUICK = {"device": "cpu", "state": "ERROR", "epochs": 2, "stopping_step": 9}


def _config(model, **settings):
    from recbole_dsl.config.run_config import Config

    return Config(model, "toy", config_dict={**QUICK, **settings})


def _pair_settings(**more):
    return {"embedding_size": 8, "train_neg_sample_args": {"sample_num": 6}, **more}


def runs(models, fails):
    """Facts of a run of each (model, settings) on dataset toy, then of one that must fail."""
    from recbole_dsl.common.errors import UsageError
    from recbole_dsl.experiments import preparation, single_run

    trainers, steps, original, facts = [], [], preparation.trainer_class, {}

    def remembering(config):
        def build(*args):
            trainers.append(trainer := original(config)(*args))

            def note_weights(*_):
                steps.append(sum(p.double().sum().item() for p in trainer.model.parameters()))

            trainer.optimizer.register_step_post_hook(note_weights)
            return trainer

        return build

    preparation.trainer_class = remembering
    for model, settings in models:
        steps.clear()
        # Not saved: to load the best checkpoint would make all weights equal.
        result = single_run.run(model, "toy", config_dict={**QUICK, **settings}, saved=False)
        net = trainers[-1].model
        state = {**net.state_dict()}
        if hasattr(net, "sampler"):
            state.update({f"buffer {k}": v for k, v in net.loss.named_buffers()})
        facts[model] = {
            "result": result, "state": state, "steps": list(steps), "seed": torch.initial_seed()
        }  # fmt: skip
    for model, settings in fails:
        try:
            single_run.run(model, "toy", config_dict={**QUICK, **settings})
        except UsageError as error:
            facts[f"refused {model}"] = str(error)
    return facts


def step_and_rows():
    """One step of SL with fixed negatives, by all processes and by one; rows and draws."""
    from recbole_dsl.data.pipeline import load_dataset, split_dataset

    rank, size = distributed.world().rank, distributed.world().size
    facts = {}
    for model in ("MF_SL", "LightGCN_SL"):
        config = _config(model, **_pair_settings(train_batch_size=20, reg_weight=0.1))
        train = split_dataset(config, load_dataset(config)).train
        torch.manual_seed(0)
        net = config.model_class(config, train._dataset).train()
        draws = net.sampler(torch.full((50,), 3), 6)
        table = torch.randint(1, net.n_items, (net.n_users, 6), generator=torch.Generator())
        net.draw_negatives = lambda users, leave_out, table=table: table[users]
        rows = torch.arange(6 * size)
        after = {}
        for name, index in (("one", rows), ("all", rows[rank::size])):
            net.zero_grad(set_to_none=True)
            net.calculate_loss(train._dataset.inter_feat[index]).backward()
            if name == "all":
                distributed.GradientAverage(net.parameters())()
            after[name] = {key: p.grad.clone() for key, p in net.named_parameters()}
        facts[model] = after
        facts["draws"] = draws

    field = train._dataset.iid_field
    for epoch in (0, 1):
        sharding.start_epoch(train, epoch)
        facts[f"rows {epoch}"] = [batch[field].tolist() for batch in train]
        with sharding.whole(train):
            facts[f"whole {epoch}"] = [batch[field].tolist() for batch in train]
    facts["items"] = train._dataset.inter_feat[field].tolist()
    return facts


def evaluation(metrics, groups, n_users):
    """Metrics of the same weights by all processes and by one, over the first n_users users; group
    metrics too."""
    from recbole_dsl.data.pipeline import load_dataset, split_dataset
    from recbole_dsl.training.trainer import trainer_class

    metrics = [*metrics, "ItemPopularityGroups", "UserActivityGroups"]
    settings = _pair_settings(metrics=metrics, topk=[1, 5], valid_metric="recall@5", eval_memory=1)
    settings["group_metrics"] = groups
    config = _config("MF_SL", **settings)
    train, _, test = split_dataset(config, load_dataset(config)).loaders.values()
    torch.manual_seed(1)
    net = config.model_class(config, train._dataset)
    trainer = trainer_class(config)(config, net)
    trainer.eval_collector.data_collect(train)
    # Scores that do not depend on who else is in the step.
    scores = net.eval().full_sort_predict({net.USER_ID: torch.arange(net.n_users)})
    table = scores.detach().view(net.n_users, -1)
    net.full_sort_predict = lambda batch: table[batch[net.USER_ID]].clone()
    test.batch_sampler.batch_size = 3
    test.batch_sampler.sampler = range(n_users or len(test.batch_sampler.sampler))
    together = trainer.evaluate(test, load_best_model=False)
    place, distributed._world = distributed._world, World()
    alone = trainer.evaluate(test, load_best_model=False)
    distributed._world = place
    return {"together": together, "alone": alone}


def evaluations(metrics, groups, few):
    return {"all": evaluation(metrics, groups, None), "few": evaluation(metrics, groups, few)}


def training(models, fails, metrics, groups):
    """All of the above, in one start of the processes."""
    facts = {"runs": runs(models, fails), "steps": step_and_rows()}
    return {**facts, **evaluations(metrics, groups, 2)}


def taken_port():
    """A socket that listens, and its port."""
    taken = socket.socket()
    taken.bind(("", 0))
    taken.listen()
    return taken, taken.getsockname()[1]
