//! Where a wrong call is what panics, the panic names the line of the call.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::sync::Mutex;

use ndarray::{Array1, Array2, CowArray};
use nn_dropout::{Draw, Index, Input, Mask, Probability};

static FILE: Mutex<String> = Mutex::new(String::new());

fn assert_points_here(what: &str, call: impl FnOnce()) {
    assert!(catch_unwind(AssertUnwindSafe(call)).is_err(), "{what} did not panic");
    assert_eq!(*FILE.lock().unwrap(), file!(), "{what}");
}

/// One test: the hook is the whole process's.
#[test]
fn panics_name_the_call() {
    set_hook(Box::new(|panic| *FILE.lock().unwrap() = panic.location().unwrap().file().to_owned()));

    let mask = Mask::philox(42, 0, 0, Probability::new(0.5).unwrap());
    let draw = Draw::dropout(mask).with_index(Index::of(&[3]));
    let (x, grid) = (Array1::<f32>::ones(4), Array2::<f32>::ones((2, 2)));
    let none = draw.clone().with_index(Index::of(&[0]));
    macro_rules! check {
        ($($call:expr),* $(,)?) => {$(
            assert_points_here(stringify!($call), || _ = $call);
        )*};
    }
    check! {
        [1_f32; 4].apply(&draw),
        vec![1_f32; 4].apply(&draw),
        (&[1_f32; 4]).apply(&draw),
        (&mut [1_f32; 4]).apply(&draw),
        Cow::Borrowed(&[1_f32; 4][..]).apply(&draw),
        x.clone().apply(&draw),
        x.clone().view_mut().apply(&draw),
        (&x).apply(&draw),
        CowArray::from(x.view()).apply(&draw),
        CowArray::from(x.clone()).apply(&draw),
        grid.t().apply(&draw),
        grid.clone().reversed_axes().apply(&draw),
        none.keeps(0),
        none.index().bit(0),
    }
}
