"""Columns that settings name and files lack, and headers that are none, get one line."""

import pytest

from recbole_dsl.common.errors import UsageError
from recbole_dsl.config.run_config import Config
from recbole_dsl.data.pipeline import load_dataset

INTER = "user_id:token\titem_id:token\tprice:float\n" + "".join(
    f"u{k % 5}\ti{k % 7}\t1\n" for k in range(35)
)
ITEM = "item_id:token\tclass:token\ni1\tx\ni2\ty\n"
USER = "user_id:token\tage:float\nu1\t1\nu2\t\n"


def _load(folder, model="MF_SL", settings=None, **files):
    home = folder / "dataset" / "shop"
    home.mkdir(parents=True, exist_ok=True)
    for suffix, text in {"inter": INTER, **files}.items():
        (home / f"shop.{suffix}").write_bytes(text.encode())
    config = Config(model, "shop", config_dict={"state": "ERROR", "device": "cpu"})
    for key, value in {"load_col": None, **(settings or {})}.items():
        config[key] = value  # a Config refuses some of them before
    return load_dataset(config)


BAD = {
    "a row of .inter": ({"inter": INTER + "u1\ti1\n"}, "shop.inter, line 37: 2 field"),
    "a row of .item": ({"item": ITEM + "i3\tz\tq\n"}, "shop.item, line 4: 3 field"),
    "a row of .user": ({"user": USER + "u3\n"}, "shop.user, line 4: 1 field"),
    "byte order mark": ({"inter": "\ufeff" + INTER}, "line 1: a byte order mark"),
    "no types": ({"inter": INTER.replace(":token", "", 1)}, "'user_id', is not name:type"),
    "an unknown type": ({"item": ITEM.replace("class:token", "class:str")}, "'class:str', is not"),
    "no user": (
        {"inter": INTER.replace("user_id", "User_ID")},
        "USER_ID_FIELD: the .inter file has no column 'user_id'.*did you mean User_ID",
    ),
    "no item": ({"inter": INTER.replace("item_id", "asin")}, "ITEM_ID_FIELD: the .inter file has"),
    "ids that are numbers": (
        {"inter": INTER.replace("item_id:token", "item_id:float")},
        "ITEM_ID_FIELD: the column item_id:float must be item_id:token|'i0' is not a number",
    ),
    "an empty file": ({"inter": ""}, "line 1: column 1 of the header"),
    "a header without an end": ({"inter": INTER.split("\n")[0]}, "shop.inter has no rows"),
    "a header alone": ({"item": "item_id:token\tt:token_seq\n\n"}, "shop.item has no rows"),
    "numbers for ids in .user": (
        {"user": "user_id:float\tage:float\n1\t1\n"},
        "shop.user: the column user_id:float must be user_id:token",
    ),
    "users in .item": (
        {"item": "item_id:token\tuser_id:token\ni1\tu1\n"},
        "shop.item: the column 'user_id' is of .inter and .user alone",
    ),
    "a column of two files": (
        {"item": "item_id:token\tprice:float\ni1\t2\n"},
        "shop.item: the column 'price' is in the .inter file too",
    ),
    "a column of two files and types": (
        {"user": "user_id:token\tprice:token_seq\nu1\tx y\n"},
        "shop.user: the column 'price' is in the .inter file too",
    ),
    "words among sequences of numbers": (
        {"item": "item_id:token\tv:float_seq\ni1\t1 x 2\n"},
        "shop.item, a column float_seq: could not convert string to float: 'x'",
    ),
    "nan among sequences of numbers": (
        {"item": "item_id:token\tv:float_seq\ni1\t1 2\ni2\t\ni3\t1 nan 2\n"},
        "shop.item, row 3, column v: nan in a float_seq",
    ),
    "a NUL byte": ({"item": ITEM + "i\0\tz\n"}, "shop.item, line 4: a NUL byte"),
    "a column twice": ({"user": "user_id:token\tuser_id:token\nu\tu\n"}, "'user_id' twice"),
    "a quote that swallows rows": (
        {"inter": INTER + '"u1\ti1\t1\nu2\ti2\t1\nu3"\ti3\t1\n'},
        r"user_id 'u1\\ti1\\t1\\nu2.*' goes on in the next line: a double quote opens it",
    ),
    "interactions without rows": ({"inter": INTER.split("\n")[0] + "\n"}, "Some feat is empty"),
}


@pytest.mark.parametrize("name", BAD)
def test_files_that_cannot_be_read_right_get_one_line(name, own_folder):
    files, message = BAD[name]
    with pytest.raises(UsageError, match=message) as caught:
        _load(own_folder, **files)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("line", [1, 3])
def test_bytes_of_another_encoding_are_named_by_their_line(line, own_folder):
    lines = INTER.encode().splitlines(keepends=True)
    lines[line - 1] = b"\xff" + lines[line - 1]
    home = own_folder / "dataset" / "shop"
    home.mkdir(parents=True)
    (home / "shop.inter").write_bytes(b"".join(lines))
    config = Config("MF_SL", "shop", config_dict={"load_col": None, "encoding": "utf-8"})
    message = rf"shop.inter, line {line}, is not utf-8: .* \(setting encoding\)"
    with pytest.raises(UsageError, match=message):
        load_dataset(config)


@pytest.mark.parametrize("suffix", ["kg", "link"])
def test_graphs_are_checked_too(suffix, own_folder):
    files = {
        "kg": "head_id:token\trelation_id:token\ttail_id:token\ne1\tr\te2\n",
        "link": "item_id:token\tentity_id:token\ni1\te1\n",
    }
    files[suffix] += "e1\n"
    fields = {"inter": "*", "kg": "*", "link": "*"}
    with pytest.raises(UsageError, match=rf"shop.{suffix}, line 3: 1 field"):
        _load(own_folder, "CKE", {"load_col": fields}, **files)


@pytest.mark.parametrize(
    ("links", "message"),
    [
        ("i1\te1\ni2\te1\n", "shop.link links the items i1 and i2 to one entity, e1"),
        ("i1\te1\ni1\te2\n", "shop.link links the item i1 to e1 and e2"),
        ("i1\te1\ni2\t\n", "shop.link has rows without an item or an entity"),
        ("i1\te1\n\te2\n", "shop.link has rows without an item or an entity"),
        ("i1\te1\ni1\te1\ni2\te2\n", None),
    ],
)
def test_links_are_of_one_item_and_one_entity(links, message, own_folder):
    files = {
        "kg": "head_id:token\trelation_id:token\ttail_id:token\ne1\tr\te2\n",
        "link": "item_id:token\tentity_id:token\n" + links,
    }
    settings = {"load_col": {"inter": "*", "kg": "*", "link": "*"}}
    if message is None:
        assert len(_load(own_folder, "CKE", settings, **files)) == 10
        return
    with pytest.raises(UsageError, match=message):
        _load(own_folder, "CKE", settings, **files)


def test_further_files_are_checked_too(own_folder):
    settings = {"additional_feat_suffix": ["ent"], "load_col": {"inter": "*", "ent": "*"}}
    with pytest.raises(UsageError, match=r"shop.ent, line 2: 3 field"):
        _load(own_folder, settings=settings, ent="ent_id:token\tv:float\ne1\t1\t2\n")


def test_files_that_are_not_loaded_are_not_looked_at(own_folder):
    settings = {"load_col": {"inter": ["user_id", "item_id"]}}
    assert len(_load(own_folder, settings=settings, item="broken", user="broken")) == 35


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"load_col": {"inter": ["user_id", "item_id", "prise"]}},
            "load_col: shop.inter has no column 'prise' .*did you mean price",
        ),
        ({"unload_col": {"inter": ["time"]}}, "unload_col: shop.inter has no column 'time'"),
        ({"load_col": {"inter": ["item_id"]}}, "USER_ID_FIELD: the .inter file has no column"),
        ({"load_col": {"inter": []}}, "USER_ID_FIELD: the .inter file has no column"),
        ({"field_separator": ","}, r"column 1 of the header, .* \(separator ','\)"),
        ({"encoding": "utf-9"}, "encoding: unknown encoding: utf-9"),
    ],
)
def test_settings_that_name_no_column_get_one_line(settings, message, own_folder):
    with pytest.raises(UsageError, match=message) as caught:
        _load(own_folder, settings=settings)
    assert "\n" not in str(caught.value)


def test_columns_of_a_file_that_is_not_there_are_warned_of(own_folder, caplog):
    settings = {"load_col": {"inter": ["user_id", "item_id"], "usr": ["user_id", "age"]}}
    _load(own_folder, settings=settings, user=USER)
    assert "load_col: usr: MF_SL reads no .usr file; ignored" in caplog.text
    settings = {"load_col": {"inter": ["user_id", "item_id"], "item": ["item_id"]}}
    _load(own_folder, settings=settings)
    assert "load_col: item: there is no file dataset/shop/shop.item; ignored" in caplog.text


def test_another_encoding_is_told_by_its_first_bytes(own_folder):
    home = own_folder / "dataset" / "shop"
    home.mkdir(parents=True)
    (home / "shop.inter").write_bytes(INTER.encode("utf-16"))
    settings = {"load_col": None, "state": "ERROR", "device": "cpu"}
    with pytest.raises(UsageError, match=r"begins as UTF-16 .* \(encoding: utf-16\)"):
        load_dataset(Config("MF_SL", "shop", config_dict=settings))
    config = Config("MF_SL", "shop", config_dict={**settings, "encoding": "utf-16"})
    assert len(load_dataset(config)) == 35


def test_parts_give_a_column_one_type(own_folder):
    other = INTER.replace("price:float", "price:token")
    parts = {"train.inter": INTER, "test.inter": other}
    settings = {"benchmark_filename": ["train", "test"]}
    message = "shop.test.inter: the column price:token is price:float in another part"
    with pytest.raises(UsageError, match=message):
        _load(own_folder, settings=settings, **parts)
    loaded = {"inter": ["user_id", "item_id"]}
    assert len(_load(own_folder, settings={**settings, "load_col": loaded}, **parts)) == 70


@pytest.mark.parametrize("suffix", ["kg", "link", "net"])
def test_files_that_a_model_does_not_read_are_named(suffix, own_folder, caplog):
    settings = {"load_col": {"inter": ["user_id", "item_id"], suffix: ["a"]}}
    _load(own_folder, settings=settings, **{suffix: "a:token\nx\n"})
    assert f"load_col: {suffix}: MF_SL reads no .{suffix} file; ignored" in caplog.text


def test_tokens_of_further_files_need_ids(own_folder):
    ent = "ent_id:token\tv:float\nu1\t1\n"
    settings = {"additional_feat_suffix": ["ent"], "load_col": {"inter": "*", "ent": "*"}}
    with pytest.raises(UsageError, match="the tokens of ent_id in .ent get no ids from RecBole"):
        _load(own_folder, settings=settings, ent=ent)
    settings["alias_of_user_id"] = ["ent_id"]
    assert len(_load(own_folder, settings=settings, ent=ent)) == 35


GRAPH = {
    "kg": "head_id:token\trelation_id:token\ttail_id:token\ne1\tr\te2\n",
    "link": "item_id:token\tentity_id:token\ni1\te1\n",
}


@pytest.mark.parametrize(
    ("settings", "link"),
    [
        ({"ENTITY_ID_FIELD": "item_id"}, GRAPH["link"]),
        ({"ENTITY_ID_FIELD": "entity"}, GRAPH["link"]),
        ({}, "item_id:token\tentity_id:token\tnote:token\ni1\te1\tx\n"),
        ({}, "item_id:token\tentity:token\ni1\te1\n"),
    ],
)
def test_links_have_the_columns_of_items_and_entities_alone(settings, link, own_folder):
    every = {"load_col": {"inter": "*", "kg": "*", "link": "*"}}
    with pytest.raises(UsageError, match=r"shop.link: the columns item_id and .* are to be loaded"):
        _load(own_folder, "CKE", {**every, **settings}, **{**GRAPH, "link": link})


TIMED = "user_id:token\titem_id:token\ttimestamp:float\n" + "".join(
    f"u{k % 5}\ti{k % 7}\t{k}\n" for k in range(35)
)


@pytest.mark.parametrize(
    "settings",
    [
        {"ITEM_LIST_LENGTH_FIELD": "item_id"},
        {"ITEM_LIST_LENGTH_FIELD": "timestamp"},
        {"LIST_SUFFIX": "_list", "ITEM_ID_FIELD": "item_id"},
    ],
)
def test_sequences_overwrite_no_column(settings, own_folder):
    text = TIMED
    if "LIST_SUFFIX" in settings:
        text = text.replace("timestamp:float\n", "timestamp:float\titem_id_list:float\n", 1)
        text = text.replace("\n", "\t1\n").replace("item_id_list:float\t1", "item_id_list:float")
    with pytest.raises(UsageError, match="is what FPMC names a column of its own by ITEM_LIST"):
        _load(own_folder, "FPMC", settings, inter=text)


def test_ready_parts_of_a_sequential_model_have_sequences(own_folder):
    settings = {"benchmark_filename": ["train", "valid", "test"]}
    parts = {f"{part}.inter": TIMED for part in ("train", "valid", "test")}
    message = "for FPMC the parts have sequences, in the column item_id_list:token_seq"
    with pytest.raises(UsageError, match=message):
        _load(own_folder, "FPMC", settings, **parts)
