//! The noise of one call: which elements are kept (`mask`), what happens to them (`effect`), both with the index map (`draw`),
//! and together with the additions around it (`fused`).

#[expect(clippy::module_inception, reason = "a draw is what the room is named after")]
mod draw;
mod effect;
mod error;
mod fused;
mod mask;

pub use self::draw::Draw;
pub use self::effect::Effect;
pub use self::error::ApplyError;
pub(crate) use self::fused::whole_rows;
pub use self::fused::{On, bias_gradient};
pub use self::mask::Mask;
