"""Laws of levels, measures and modified targets of stored items under each loss of the family."""

import dataclasses

import numpy as np
import pytest
from label_items import LABELS, label_item, multi_hot_item
from oracles.ctc import Costs, by_recursion

import warplens as wl
from warplens.analysis.item_analysis import analyze_item
from warplens.analysis.losses.item import analyze_by_loss, with_faded_targets
from warplens.analysis.losses.options import KNOWN_LOSSES, Loss
from warplens.analysis.losses.shown import class_names, events_by_row, shown_item
from warplens.io import Item, ItemError, LabelItem


def features(seed=0, frames=18):
    rng = np.random.default_rng(seed)
    weak = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 1], [0, 0, 0]], float)
    return Item(rng.uniform(0.05, 0.95, (frames, 3)), weak, cost="bce")


CASES = {
    "ctc": (label_item(), Loss("ctc")),
    "ctc with a dear blank": (label_item(), Loss("ctc", blank_penalty=1.5, blank_weight=2.0)),
    "tokens": (LabelItem(label_item().log_probs), Loss("forward-sum")),
    "tokens with a blank": (LabelItem(label_item().log_probs), Loss("forward-sum", blank_logprob=-1.0)),
    "we": (multi_hot_item(), Loss("multi-label-ctc")),
    "ne3": (multi_hot_item(encoding="ne3"), Loss("multi-label-ctc", encoding="ne3")),
    "ne2": (multi_hot_item(encoding="ne2"), Loss("multi-label-ctc", encoding="ne2")),
    "open targets": (features(), Loss("subsequence")),
    "open frames": (features(), Loss("subsequence", open_begin="x", open_end="x", skip_penalty=(0.2, 0.3))),
    "drop": (features(), Loss("drop", drop=0.8)),
    "scattered drop": (features(), Loss("drop", drop=0.8, contiguous=False, many_to_one=True)),
}


def analyzed(name, **options):
    item, loss = CASES[name]
    cost = "bce" if loss.kind == "features" else None
    return analyze_by_loss(item, loss, **{"gammas": [0.5, 1.0], "cost": cost, **options})


@pytest.mark.parametrize("name", CASES)
def test_events_share_the_faded_targets_of_their_class(name):
    analysis = with_faded_targets(analyzed(name))
    rows = events_by_row(analysis).feature
    for g in range(2):
        for row in set(rows.tolist()):
            of_class = analysis.levels.duration[g, rows == row].sum()
            assert of_class == pytest.approx(analysis.y_mod[g, :, row].sum(), abs=1e-10)
            highest = analysis.levels.peak[g, rows == row].max()
            assert highest <= analysis.y_mod[g, :, row].max() + 1e-12


@pytest.mark.parametrize("name", ["ctc", "ctc with a dear blank", "tokens"])
def test_h_and_targets_give_the_gradient_of_the_loss(name):
    item, loss = CASES[name]
    analysis = analyzed(name, gammas=[0.7])
    for n, k in ((0, 1), (5, 2), (13, 3)):
        place = int(np.searchsorted(analysis.classes, k))
        step = np.zeros_like(item.log_probs)
        step[n, k] = 1e-5
        above, below = (
            analyze_by_loss(dataclasses.replace(item, log_probs=scores), loss, gammas=[0.7]).measures[
                "value"
            ][0]
            for scores in (item.log_probs + step, item.log_probs - step)
        )
        gradient = (above - below) / 2e-5
        assert gradient == pytest.approx(-analysis.h[0, n] * analysis.y_mod[0, n, place], abs=1e-7)


@pytest.mark.parametrize("costs", [Costs(), Costs(gamma=0.5, blank_penalty=1.2, blank_weight=2.0)])
def test_labels_of_ctc_are_those_of_the_recursion(costs):
    item = label_item(1, strong=np.repeat([0, 1, 2, 0, 2, 3, 0], 2))
    loss = Loss("ctc", blank_penalty=costs.blank_penalty, blank_weight=costs.blank_weight)
    analysis = analyze_by_loss(item, loss, gammas=[costs.gamma])
    truth = by_recursion(item.log_probs, LABELS, costs=costs)
    assert analysis.measures["value"][0] == pytest.approx(truth.value, abs=1e-9)
    shares = truth.H / truth.H.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(analysis.levels.peak[0], shares[:, 1::2].max(axis=0), atol=1e-9)
    np.testing.assert_allclose(analysis.levels.duration[0], shares[:, 1::2].sum(axis=0), atol=1e-9)
    assert analysis.measures["blank_share"][0] == pytest.approx(truth.E[:, ::2].sum() / 14, abs=1e-9)
    assert analysis.measures["entropy"][0] == pytest.approx(truth.entropy, abs=1e-9)
    np.testing.assert_allclose(analysis.y_mod[0], truth.y_mod(5)[:, analysis.classes], atol=1e-9)
    assert analysis.measures["not_taught"][0] == 0
    # The blank is no truth to be found: with a strong target all of labels it changes nothing.
    taught = analysis.y_mod[0][:, 1:] > 0.5
    wanted = item.strong[:, None] == analysis.classes[1:]
    f = 2 * (taught & wanted).sum() / (taught.sum() + wanted.sum())
    assert analysis.measures["f_measure"][0] == pytest.approx(f)


def test_what_is_dropped_counts_for_nothing_whatever_its_target():
    analysis = analyzed("drop", gammas=[1.0])
    item, loss = CASES["drop"]
    aligned = wl.drop_dtw(item.predictions, item.weak, loss.drop, cost="bce", gamma=1.0)
    np.testing.assert_allclose(analysis.presence[0], aligned.h, atol=1e-12)
    assert analysis.measures["not_taught"][0] == pytest.approx((aligned.h < 0.05).mean())
    assert 0 < analysis.measures["not_taught"][0] < 1
    last = aligned.H[:, 2]  # the only event of the third feature is its third frame alone
    assert analysis.levels.peak[0][-1] == pytest.approx(last.max(), abs=1e-12)
    assert analysis.levels.duration[0][-1] == pytest.approx(last.sum(), abs=1e-12)


def test_step_weights_do_not_make_frames_untaught():
    """A frame held at a weight of .1 is taught as under plain soft DTW: fading is for frames left out."""
    item = features()
    options = {"gammas": [0.5], "cost": "bce", "step_weights": (0.1, 1.0, 1.0)}
    closed = Loss("subsequence", open_begin="none", open_end="none")
    assert analyze_by_loss(item, closed, **options).h.min() < 0.5
    np.testing.assert_allclose(analyze_by_loss(item, closed, **options).presence, 1.0, atol=1e-12)
    plain = analyze_item(item, **options)
    for name, values in plain.measures.items():
        np.testing.assert_allclose(
            analyze_by_loss(item, closed, **options).measures[name], values, atol=1e-6, err_msg=name
        )


def test_we_weighs_frames_by_what_is_no_blank_and_ne_does_not():
    item, loss = CASES["we"]
    aligned = wl.multi_label_ctc(item.log_probs, item.weak)
    analysis = analyze_by_loss(item, loss, gammas=[1.0])
    not_blank = aligned.E[:, 1::2].sum(axis=1)
    np.testing.assert_allclose(analysis.presence[0], not_blank, atol=1e-12)
    np.testing.assert_allclose(analysis.h[0], not_blank, atol=1e-12)
    assert analysis.measures["blank_share"][0] == pytest.approx(1 - not_blank.mean(), abs=1e-12)
    np.testing.assert_allclose(analyzed("ne3").presence, 1.0, atol=1e-12)


def test_targets_of_an_item_are_shown_by_name():
    item, loss = CASES["ctc"]
    analysis = analyze_by_loss(item, loss, gammas=[1.0])
    assert class_names(analysis) == ("blank", "a", "b", "c")
    shown = shown_item(item, analysis)
    np.testing.assert_allclose(shown.predictions, np.exp(item.log_probs[:, :4]))
    np.testing.assert_array_equal(shown.weak, np.eye(4)[LABELS])
    tokens = analyzed("tokens with a blank", gammas=[1.0])
    assert class_names(tokens) == ("blank", "0", "1", "2", "3", "4")
    shown = shown_item(CASES["tokens with a blank"][0], tokens)
    np.testing.assert_allclose(shown.predictions.sum(axis=1), 1.0)
    np.testing.assert_array_equal(shown.weak, np.eye(6)[1:])


def test_many_classes_are_never_made_one_hot():
    scores = np.zeros((30, 4000), np.float32) - np.log(4000)
    item = LabelItem(scores, labels=np.array([7, 3999, 7]))
    analysis = analyze_by_loss(item, Loss("ctc"), gammas=[1.0])
    assert analysis.classes.tolist() == [0, 7, 3999]
    assert analysis.y_mod.shape == (1, 30, 3)
    np.testing.assert_allclose(analysis.y_mod.sum(axis=2), 1.0, atol=1e-5)


def test_priors_are_those_of_the_item_or_given():
    priors = np.log([0.6, 0.1, 0.1, 0.1, 0.1])
    item = label_item(log_priors=priors)
    of_item, given = (
        analyze_by_loss(item, Loss("ctc", log_priors=source, prior_scale=0.5), gammas=[1.0])
        for source in ("item", tuple(priors))
    )
    np.testing.assert_array_equal(of_item.y_mod, given.y_mod)
    plain = analyze_by_loss(item, Loss("ctc"), gammas=[1.0])
    assert given.measures["blank_share"][0] < plain.measures["blank_share"][0]
    with pytest.raises(ItemError, match="missing array 'log_priors'"):
        analyze_by_loss(label_item(), Loss("ctc", log_priors="item"), gammas=[1.0])


def test_prior_of_a_forward_sum_is_added():
    scores = label_item().log_probs
    prior = wl.beta_binomial_prior(14, 5, scaling=2.0)
    given = LabelItem(scores, prior=prior)
    by_name = Loss("forward-sum", prior="beta-binomial", prior_scaling=2.0)
    both = [
        analyze_by_loss(given, loss, gammas=[1.0]) for loss in (Loss("forward-sum", prior="item"), by_name)
    ]
    np.testing.assert_array_equal(both[0].y_mod, both[1].y_mod)
    with pytest.raises(ItemError, match="missing array 'prior'"):
        analyze_by_loss(LabelItem(scores), Loss("forward-sum", prior="item"), gammas=[1.0])


def test_logits_are_taken_as_such_only_when_told():
    item = label_item()
    shifted = dataclasses.replace(item, log_probs=item.log_probs + 3.0)
    told = analyze_by_loss(shifted, Loss("ctc", from_logits=True), gammas=[1.0])
    np.testing.assert_allclose(told.y_mod, analyze_by_loss(item, Loss("ctc"), gammas=[1.0]).y_mod, atol=1e-12)
    with pytest.raises(ItemError, match=r"log-probabilities are at most 0.*--from-logits"):
        analyze_by_loss(shifted, Loss("ctc"), gammas=[1.0])


def test_every_loss_refuses_the_options_of_others_by_name():
    fields = {field.name for field in dataclasses.fields(Loss)} - {"name"}
    values = {
        "drop": 1.0,
        "log_priors": "item",
        "prior": "beta-binomial",
        "encoding": "we",
        "open_begin": "x",
    }
    values |= {"open_end": "x", "skip_penalty": (1.0, 1.0)}
    for name, known in KNOWN_LOSSES.items():
        needed = {"drop": 1.0} if name == "drop" else {}
        for field in fields - set(known.options):
            with pytest.raises(ValueError, match=rf"^{field}: unknown to the loss {name}, .*belongs to"):
                Loss(name, **needed, **{field: values.get(field, 1)})
    assert fields <= {option for known in KNOWN_LOSSES.values() for option in known.options}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "dtw"}, "loss: is 'dtw'; sdtw, ctc"),
        ({"name": "drop"}, "drop: is not given"),
        ({"name": "drop", "drop": float("nan")}, "drop: is nan"),
        ({"name": "ctc", "prior_scale": 0.5}, "prior_scale: belongs to log_priors"),
        ({"name": "ctc", "log_priors": "file"}, "log_priors: is 'file'"),
        ({"name": "ctc", "blank_penalty": -np.inf}, "blank_penalty: is -inf"),
        ({"name": "ctc", "blank_weight": np.inf}, "blank_weight: is inf"),
        ({"name": "multi-label-ctc", "encoding": "ne4"}, "encoding: is 'ne4'; we, ne3, ne2"),
        ({"name": "forward-sum", "prior": "flat"}, "prior: is 'flat'; none, item"),
        ({"name": "forward-sum", "prior_trials": 3}, "prior_trials: belongs to the beta-binomial prior"),
        ({"name": "subsequence", "open_begin": "z"}, "open_begin: is 'z'; x, y, both and none"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Loss(**options)


def test_items_of_another_kind_are_refused():
    with pytest.raises(ValueError, match="item: is a Item; the loss ctc needs a LabelItem"):
        analyze_by_loss(features(), Loss("ctc"), gammas=[1.0])
    with pytest.raises(ValueError, match="item: is a LabelItem; the loss drop needs an Item"):
        analyze_by_loss(label_item(), Loss("drop", drop=1.0), gammas=[1.0], cost="bce")
    with pytest.raises(ValueError, match="cost: is not given; the loss subsequence needs one"):
        analyze_by_loss(features(), Loss("subsequence"), gammas=[1.0])
    with pytest.raises(ValueError, match="gammas: empty"):
        analyze_by_loss(label_item(), Loss("ctc"), gammas=[])
    with pytest.raises(ValueError, match="the shortest possible T is 5"):
        analyze_by_loss(label_item(frames=4), Loss("ctc"), gammas=[1.0])
