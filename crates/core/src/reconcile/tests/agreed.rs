//! One side acted, or both did the same.

use super::check_all;

#[test]
fn nothing_to_do() {
    check_all("-", "-", "-", "= -");
    check_all("f=1", "^", "^", "= f=1");
    check_all("f=1", "-", "-", "= -");
    check_all("d/f=1", "d/", "d/", "= d/");
    check_all("f=1", "f=2", "f=2", "= f=2");
}

#[test]
fn both_created_the_same() {
    check_all("-", "f=1", "f=1", "= f=1");
    check_all("-", "d/f=1", "d/f=1", "= d/f=1");
    check_all("-", "s->file", "s->file", "= s->file");
    check_all("-", "d/", "d/f=1", "= d/f=1");
}

#[test]
fn one_side_created() {
    check_all("-", "d/", "-", "= d/");
    check_all("-", "-", "f=1", "= f=1");
    check_all("-", "f11=1", "-", "= f11=1");
    check_all("-", "-", "f1=1;f2=2;d/f3=3", "= d/f3=3;f1=1;f2=2");
    check_all(
        "-",
        "a=a;b=b;d1/a=a1;d1/b=b1",
        "x=x;y=y;d2/x=x2;d2/y=y2",
        "= a=a;b=b;d1/a=a1;d1/b=b1;d2/x=x2;d2/y=y2;x=x;y=y",
    );
}

#[test]
fn one_side_changed() {
    check_all("f=1", "f=2", "^", "= f=2");
    check_all("f=1", "f=1+x", "^", "= f=1+x");
    check_all("f=1", "f/file=1", "^", "= f/file=1");
    check_all("t=x", "t/x=in", "^", "= t/x=in");
    check_all("x/b=barr;x/l=./barr", "x=bazzz", "^", "= x=bazzz");
    check_all("f=1;e/;d/x=2", "f/;e=;d=", "^", "= d=;e=;f/");
    check_all(
        "fr=1;dr/;file=1;fl->file;dir/;dl->dir;n->no/such;rf->no/such;rd->no/such;rm->no/such",
        "fr->no/where;dr->no/where;file=1;dir/;dl->file;n->no/such;rf=1;rd/",
        "^",
        "= dir/;dl->file;dr->no/where;file=1;fr->no/where;n->no/such;rd/;rf=1",
    );
}

#[test]
fn one_side_deleted() {
    check_all("d/f=1", "-", "^", "= -");
    check_all("f=1", "^", "-", "= -");
    check_all("d/f=1", "-", "d/", "= -");
    check_all("s/f20=1", "s/", "^", "= s/");
}

#[test]
fn an_edit_beats_a_deletion() {
    check_all("f=1", "f=2", "-", "= f=2");
    check_all("f=1", "-", "f=2", "= f=2");
    check_all("t=1", "-", "t=1+x", "= t=1+x");
    check_all("d/e/f=1;d/g=2", "-", "d/e/f=3;d/g=2", "= d/e/f=3");
    check_all("d/e/f=1", "-", "d/e/f=1;d/new=2", "= d/new=2");
}
