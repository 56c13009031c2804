//! No form of a draw allocates. Alone in its file: the allocator counts for the whole process.

use nn_dropout::{Draw, Index, Mask, Probability, bias_gradient};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

#[test]
fn nothing_is_allocated() {
    let draw = Draw::dropout(Mask::philox(42, 0, 0, Probability::new(0.1).unwrap()));
    // More than the thresholds for streaming stores; and one thread, since rayon's queues have memory of their own.
    let count = 3 << 20;
    let (x, residual, bias) = (vec![1f32; count], vec![2f32; count], vec![3f32; 1 << 10]);
    let (mut y, mut grad_bias, mut packed) = (vec![0f32; count], vec![0f32; 1 << 10], vec![0; count / 8]);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    pool.install(|| {
        draw.forward_inplace(&mut [1f32; 100]).unwrap(); // chooses the kernel
        let _profiler = dhat::Profiler::builder().testing().build();
        draw.forward(&x, &mut y).unwrap();
        draw.forward_inplace(&mut y).unwrap();
        draw.backward(&x, &mut y).unwrap();
        draw.backward_inplace(&mut y).unwrap();
        draw.on(&x).add(&residual, &mut y).unwrap();
        draw.on(&x).bias(&bias).add_to(&mut y).unwrap();
        bias_gradient(&y, &mut grad_bias).unwrap();
        for index in [Index::shared(&[3 << 10, 1 << 10], &[0]), Index::shared(&[1 << 20, 3], &[1])] {
            draw.clone().with_index(index).forward_inplace(&mut y).unwrap();
        }
        draw.mask().fill_bits(3, &mut packed);
        let stats = dhat::HeapStats::get();
        dhat::assert_eq!(stats.total_blocks, 0);
    });
}
