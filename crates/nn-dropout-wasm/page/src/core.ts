// The library in WebAssembly, without the training.

import init, { Layer } from './wasm/core/nn_dropout_core.js';

export { check_case, kernel, kinds, Layer } from './wasm/core/nn_dropout_core.js';

export type Rng = 'philox' | 'torch' | 'jax';

/** Part 1 says so if it fails. */
export const ready: Promise<unknown> = init();

/** What a layer does in one call: which elements it keeps, and its output. */
export interface Call {
    kept: Uint8Array;
    y: Float32Array;
}

/** The call number `step` of a new layer in training mode. */
export function callOf(
    config: string,
    shape: number[],
    x: Float32Array,
    step: number,
    seed = 42n,
    rng: Rng = 'philox',
): Call {
    const layer = new Layer(config, rng, seed);
    try {
        const sizes = Uint32Array.from(shape);
        layer.mask(sizes); // how much PyTorch's generator draws in each call depends on the shape
        layer.step = step;
        return { kept: layer.mask(sizes), y: layer.forward(x, sizes) };
    } finally {
        layer.free();
    }
}
