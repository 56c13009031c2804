//! The promise: every case of `test_vectors` gives what it has to give.

use nn_dropout_test_vectors::cases;

#[test]
fn every_case_gives_what_it_has_to_give() {
    for case in cases() {
        assert_eq!(case.computed(), case.sha256, "{case:?}");
    }
}

#[test]
fn every_layer_draws_what_it_has_to_draw() {
    let mut kinds = Vec::new();
    for case in cases() {
        if let Some((layer, shape)) = case.layer() {
            assert_eq!(layer.draw(shape).unwrap().as_ref(), Some(&case.draw()), "{layer} {shape:?}");
            kinds.push(layer.kind());
        }
    }
    // Blocks of volumes are blocks of images with one more axis.
    let missing = |kind: &nn_dropout::Kind| !kinds.contains(kind) && *kind != nn_dropout::Kind::DropBlock3d;
    assert_eq!(nn_dropout::Kind::ALL.into_iter().find(missing), None);
}
