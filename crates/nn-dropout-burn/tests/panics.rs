//! Modules are refused with panics, as in Burn. They name the line of the call.

use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::sync::Mutex;

use burn::tensor::{Device, Tensor};
use nn_dropout_burn::{
    AlphaDropoutConfig, Dropout1dConfig, Dropout2dConfig, Dropout3dConfig, DropoutConfig, FeatureAlphaDropoutConfig,
    Generator,
};

static FILE: Mutex<String> = Mutex::new(String::new());

fn assert_points_here(what: &str, call: impl FnOnce()) {
    assert!(catch_unwind(AssertUnwindSafe(call)).is_err(), "{what} did not panic");
    assert_eq!(*FILE.lock().unwrap(), file!(), "{what}");
}

/// One test: the hook is the whole process's.
#[test]
fn panics_name_the_call() {
    set_hook(Box::new(|panic| *FILE.lock().unwrap() = panic.location().unwrap().file().to_owned()));

    macro_rules! check_p {
        ($($config:ident),*) => {$(
            assert_points_here(stringify!($config), || _ = $config::new(1.5).init());
            assert_points_here(stringify!($config), || _ = $config::new(-0.5).init_with(&Generator::philox(42)));
        )*};
    }
    check_p! {
        AlphaDropoutConfig, Dropout1dConfig, Dropout2dConfig, Dropout3dConfig, DropoutConfig, FeatureAlphaDropoutConfig
    }

    macro_rules! check_shape {
        ($($config:ident),*) => {$(
            let module = $config::new(0.5).init();
            assert_points_here(stringify!($config), || {
                _ = module.forward(Tensor::<1>::ones([3], &Device::flex().autodiff()));
            });
        )*};
    }
    check_shape! { Dropout1dConfig, FeatureAlphaDropoutConfig }
}
