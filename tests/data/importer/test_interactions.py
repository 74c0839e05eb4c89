"""Which columns hold interactions, and values that cannot be used."""

import pytest
from import_files import HEADER, assert_refused, lines, write

from recbole_dsl.common.errors import UsageError
from recbole_dsl.data.importer import import_interactions
from recbole_dsl.data.importer.atomic import CHUNK


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        ("userId,movieId,rating,timestamp", "userId movieId rating timestamp"),
        ("USER,Item,Stars,TS", "USER Item Stars TS"),
        ("user_procid,item_procid,score,time", "user_procid item_procid score time"),
        ("reviewerID,asin,overall,unixReviewTime", "reviewerID asin overall unixReviewTime"),
        ("user,user_id,item_id,rating,timestamp", "user_id item_id rating timestamp"),
        ("user-idx,iid,rating,timestamp", "user-idx iid rating timestamp"),
        ("customer_id,SKU,rating,time", "customer_id SKU rating time"),
        ("CustomerID,StockCode,rating,ts", "CustomerID StockCode rating ts"),
        (
            "user_id:token,item_id:token,rating:float,timestamp:float",
            "user_id:token item_id:token rating:float timestamp:float",
        ),
    ],
)
def test_usual_column_names_are_recognised(header, columns):
    table = write("r.csv", header + "\n" + ",".join("12345"[: header.count(",") + 1]) + "\n")
    chosen = import_interactions(table, dataset="mine")["columns"]["all"]
    roles = ("user", "item", "rating", "timestamp")
    assert chosen == dict(zip(roles, columns.split(), strict=True))


def test_columns_are_named_or_left_out():
    table = write("r.csv", "rating,buyer,sku,when\n5,u,i,9\n")
    options = {"user": "buyer", "item": "sku", "timestamp": "when", "rating": None}
    import_interactions(table, dataset="mine", **options)
    assert lines() == [f"{HEADER}\ttimestamp:float", "u\ti\t9"]


def test_columns_without_header_are_numbers_from_one():
    table = write("r.csv", "5,u,i,9\n4,v,j,8\n")
    import_interactions(table, dataset="mine", header=False, user=2, item="3", timestamp=4)
    assert lines() == [f"{HEADER}\ttimestamp:float", "u\ti\t9", "v\tj\t8"]
    import_interactions(table, dataset="other", header=False)
    assert lines("other") == [HEADER, "5\tu", "4\tv"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("user,item\n", "r.csv has no rows"),
        ("user,item\n\n", "r.csv has no rows"),
        (
            "who,item\na,b\n",
            "r.csv has no column that is known to hold users (columns: who, item): give "
            "--user=COLUMN",
        ),
        (
            "user,itm_id\na,b\n",
            "r.csv has no column that is known to hold items (columns: user, itm_id): give "
            "--item=COLUMN; did you mean itm_id?",
        ),
        (
            "user_id;item_id\na;b\n",
            "r.csv has no column that is known to hold users (columns: user_id;item_id, separator "
            "','; try --sep=';'): give --user=COLUMN",
        ),
        (
            "user\titem\na\tb\n",
            "r.csv has no column that is known to hold users (columns: user item, separator ','; "
            "try --sep=tab): give --user=COLUMN",
        ),
        (
            "1,1193,5\n1,661,3\n",
            "r.csv has no column that is known to hold users (columns: 1, 1193, 5; no header? "
            "--header=False): give --user=COLUMN",
        ),
        (
            "user,User,item\na,b,c\n",
            "r.csv has columns 'user' and 'User': choose with --user=COLUMN",
        ),
        ("user,user,item\na,b,c\n", "r.csv has more than one column 'user'"),
    ],
)
def test_a_file_without_rows_or_the_columns_is_refused(text, message):
    assert_refused(message, write("r.csv", text))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"user": "usr"},
            "r.csv has no column 'usr' for --user (columns: user, item); did you mean user?",
        ),
        ({"rating": "stars"}, "r.csv has no column 'stars' for --rating (columns: user, item)"),
        ({"item": "user"}, "r.csv: column 'user' is both --user and --item"),
        ({"user": None}, "--user needs a column: every row has a user and an item"),
        (
            {"header": False, "user": 0},
            "r.csv has no column '0' for --user (columns: 1, 2; no header? --header=False)",
        ),
        (
            {"header": False},
            "r.csv: the first line, user, item, is a header: leave out --header=False",
        ),
    ],
)
def test_bad_options_are_refused(options, message):
    assert_refused(message, write("r.csv", "user,item\na,b\n"), **options)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("u,i,1,1\n,i,1,1", "line 3, column user: user '' is empty"),
        ("u,i,1,1\nu,   ,1,1", "line 3, column item: item '' is empty"),
        (
            '"u\tv",i,1,1',
            "line 2, column user: user 'u\\tv' holds a tab, a line break or another control "
            "character",
        ),
        (
            '\n"u",i,1,1\nu,"i\n\nj",1,1',
            "line 4, column item: item 'i\\n\\nj' holds a tab, a line break or another control "
            "character",
        ),
        (
            "u,NA,1,1",
            "line 2, column item: item 'NA' is what RecBole reads as a missing value; rename that "
            "id",
        ),
        (
            "[PAD],i,1,1",
            "line 2, column user: user '[PAD]' is RecBole's own padding id; rename that id",
        ),
        (
            "u,i,1,1\nu,i,good,1",
            "line 3, column rating: rating 'good' is not a number; --rating=None leaves the "
            "column out",
        ),
        (
            "u,i,,1",
            "line 2, column rating: rating '' is not a number; --rating=None leaves the column out",
        ),
        (
            "u,i,nan,1",
            "line 2, column rating: rating 'nan' is not a finite number; --rating=None leaves the "
            "column out",
        ),
        (
            "u,i,1_0,1",
            "line 2, column rating: rating '1_0' is not a finite number; --rating=None leaves the "
            "column out",
        ),
        (
            "u,i,1,noon",
            "line 2, column time: timestamp 'noon' is neither a number nor a date such as "
            "2014-05-13 or 2014-05-13T10:00:00Z; --timestamp=None leaves the column out",
        ),
        ("u,i,1,1\nu,i,1", "line 3: 3 fields (separator ','), but the first line has 4"),
        ("u,i,1,1,", "line 2: 5 fields (separator ','), but the first line has 4"),
    ],
)
def test_a_bad_row_is_named_and_nothing_is_written(rows, message):
    table = write("r.csv", f"user,item,rating,time\n{rows}\nu,i,1,1\n")
    assert_refused(f"r.csv, {message}", table)


def test_a_bad_row_far_down_is_named():
    rows = [f"u{n},i\n" for n in range(3 * CHUNK)]
    rows[CHUNK + 7] = ",i\n"
    table = write("r.csv.gz", "user,item\n" + "".join(rows))
    assert_refused(f"r.csv.gz, line {CHUNK + 9}, column user: user '' is empty", table)


def test_a_long_value_is_cut_in_the_message():
    table = write("r.csv", "user,item,rating\nu,i," + "x" * 500 + "\n")
    with pytest.raises(UsageError, match=r"rating 'x{56}\.\.\. is not a number"):
        import_interactions(table, dataset="mine")


@pytest.mark.parametrize("name", ["r.csv", "r.csv.gz", "r.tsv"])
def test_a_header_between_the_rows_is_refused(name):
    sep = "\t" if "tsv" in name else ","
    text = f"user_id{sep}item_id\na{sep}b\n\n user_id{sep}item_id\nc{sep}d\n"
    assert_refused(f"{name}, line 4: the row repeats the header", write(name, text))
    assert_refused(
        f"{name}, line 4: the row repeats the header",
        write(name, text.replace(f" user_id{sep}item_id", f"User_ID{sep}ITEM_ID")),
    )
    import_interactions(write("own.csv", "user_id,item_id\nuser_id,b\na,item_id\n"), dataset="own")
    assert lines("own") == [HEADER, "user_id\tb", "a\titem_id"]


def test_a_header_far_down_is_refused_too():
    rows = "".join(f"u{n},i{n}\n" for n in range(2 * CHUNK))
    table = write("r.csv", f"user,item\n{rows}user,item\n")
    assert_refused(f"r.csv, line {2 * CHUNK + 2}: the row repeats the header", table)
