"""Tables of notes: columns by name in every habit of writing them, an error where the cells do not fit."""

import numpy as np
import pytest
from test_note_lists import as_rows, read

from warplens.io import ItemError

ROW = [(10.0, 14.0, 60)]
TWO = [(10.0, 14.0, 60), (14.0, 18.0, 62)]


def notes_in(tmp_path, content, name="a.csv"):
    data = content if isinstance(content, bytes) else content.encode()
    (tmp_path / name).write_bytes(data)
    return as_rows(read(tmp_path / name))


@pytest.mark.parametrize(
    "content",
    [
        "\tstart\tend\tpitch\n0\t10\t14\t60\n",
        ",start,end,pitch\n0,10,14,60\n",
        '"","start","end","pitch"\n"1",10,14,60\n',
        '"" "start" "end" "pitch"\n"1" 10 14 60\n',
        '"start" "end" "pitch"\n"1" 10 14 60\n',
        '"start"\t"end"\t"pitch"\n"1"\t10\t14\t60\n',
        "   start  end  pitch\n0     10   14     60\n",
        "start end pitch\nfirst 10 14 60\n",
        "start,end,pitch\nfirst,10,14,60\n",
        "start;end;pitch\n10;14;60;;\n",
        "start;end;pitch;\n10;14;60;\n",
        "start,end,pitch\n,,\n10,14,60\n,,,\n",
        "start,end,pitch,name\n10,14,60\n",
        "  start   end pitch  \n  10 14   60  \n",
        "# start,end,pitch\n10 14 60\n",
        "#\tstart\tend\tpitch\n10\t14\t60\n",
        "# made by hand\n\n#start;end;pitch\n10;14;60\n",
        "# made by hand\nstart;end;pitch\n10;14;60\n# and checked\n",
        "start,end,pitch,name\n10,14,60,a\x85b\n",
        "start,end,pitch,name\n10,14,60,a\u2028b\n",
        "start,end,pitch,name\n10,14,60,a\x1cb\x0bc\x0cd\n",
        'start,end,pitch,name\n10,14,60,"one\ntwo"\n',
        'start end pitch name\n10 14 60 "one\ntwo"\n',
        'name;start;end;pitch\r\n"one;\r\ntwo";10;14;60\r\n',
        'start;end;pitch;name\n10;14;60;"tom\n',
        'start;end;pitch;name\r10;14;60;5" tom\r',
        "start\tend\tpitch\n10\t14\t60\n".encode("utf-16"),
        "start;end;pitch;name\n10;14;60;a\x85b\n".encode("latin-1"),
    ],
)
def test_every_habit_of_writing_gives_the_notes(tmp_path, content):
    assert notes_in(tmp_path, content) == ROW


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        ("start end pitch\n1 10 14 60\n", "line 2: 4 cells under 3 names: '1 10 14 60'"),
        ("start\tend\tpitch\n1\t10\t14\t60\n", "line 2: 4 cells under 3 names"),
        ("start,end,pitch\n1,10,14,60\n", "line 2: 4 cells under 3 names: '1,10,14,60'"),
        ("start,end,pitch\n0,5,1,5,60\n", "line 2: 5 cells under 3 names: '0,5,1,5,60'"),
        ("start,end,pitch\n1,2,60\n\n10,14,60,,x\n", "line 4: 5 cells under 3 names: '10,14,60,,x'"),
        ("   start  end  pitch\n0  10   14     60\n14 18 62\n", "line 2: 4 cells under 3 names"),
        ("start end name pitch\n10 14 60\n", "line 2: 3 cells under 4 names: '10 14 60'"),
        ("start end pitch name\n10 14 60\n", "line 2: 3 cells under 4 names"),
        (
            "start;end;pitch;name\n1;10;14;60;\n2;14;18;62;\n",
            "line 2: 5 cells under 4 names, so the first",
        ),
        (",start,end,pitch,name\n10,14,60,5\n", "line 2: 4 cells under 5 names: '10,14,60,5'"),
        ("name;start;end;pitch;velocity\n10;14;60;5\n", "line 2: 4 cells under 5 names"),
        ("start;end;pitch\n1_0;14;60\n", "line 2: column 'start' holds no number: '1_0;14;60'"),
        ("start;end;pitch\n1;2,5;60\n", "line 2: column 'end' holds no number: '1;2,5;60'"),
        ('start,end,pitch,name\n10,14,60,"a\nb"\n1,2,3,4,5\n', "line 4: 5 cells under 4 names: '1,2,3,4,5'"),
        ("# made by hand\nstart;end\n", "no column 'pitch' .columns: start, end"),
        (b"\xff\xfea", "no text in UTF-16"),
    ],
)
def test_cells_that_do_not_fit_are_shown(tmp_path, content, shown):
    with pytest.raises(ItemError, match=f"note list a.csv: {shown}"):
        notes_in(tmp_path, content)


@pytest.mark.parametrize(
    "content",
    [
        # DataFrame.to_string, also with a named index and without one.
        "   start  end  pitch\n0     10   14     60\n1     14   18     62",
        "     start  end  pitch\nrow                   \n1       10   14     60\n7       14   18     62",
        " start  end  pitch\n    10   14     60\n    14   18     62",
        # DataFrame.to_csv by every delimiter.
        ',start,end,pitch,who\n0,10,14,60,a b\n1,14,18,62,"c\n;,\t d"\n',
        'row;start;end;pitch;who\n0;10;14;60;a b\n1;14;18;62;"c\n;,\t d"\n',
        'start\tend\tpitch\twho\n10\t14\t60\ta b\n14\t18\t62\t"c\n;,\t d"\n',
        '"" start end pitch who\n0 10 14 60 "a b"\n1 14 18 62 "c\n d"\n',
        # Quotes that have no partner.
        'start;end;pitch;who\n10;14;60;"a\n14;18;62;"b\n',
        # write.table of R.
        '"start" "end" "pitch" "who"\n"1" 10 14 60 "a b"\n"2" 14 18 62 "c d"\n',
    ],
)
def test_tables_as_pandas_r_and_hands_write_them(tmp_path, content):
    assert notes_in(tmp_path, content, "a.txt") == TWO


def test_lines_that_are_passed_over_are_counted(tmp_path):
    (tmp_path / "a.csv").write_text("# by hand\nstart;end;pitch\n10;14;60\n# one\n# two\n14;18;62\n")
    notes = read(tmp_path / "a.csv")
    assert as_rows(notes) == TWO
    assert notes.warnings == ("2 lines that begin with '#' are passed over",)


def test_rows_of_any_number_and_order_of_columns_are_read_by_name(tmp_path):
    rng = np.random.default_rng(0)
    for delimiter in (",", ";", "\t", " "):
        names = ["start", "end", "pitch", *(f"other {i}" for i in range(3))]
        order = rng.permutation(len(names))
        rows = [(i, i + 1, 60 + i, 7, 'a "b" c', f"x{delimiter}y\nz") for i in range(5)]
        cells = [[str(row[i]).replace('"', '""') for i in order] for row in (names, *rows)]
        text = "\n".join(delimiter.join(f'"{cell}"' for cell in row) for row in cells)
        assert notes_in(tmp_path, text) == [(float(a), float(b), p) for a, b, p, *_ in rows]
