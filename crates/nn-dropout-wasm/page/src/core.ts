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

/** The next call of a layer. */
export function callNext(layer: Layer, x: Float32Array): Call {
    const y = layer.forward(x);
    return { kept: layer.kept(), y };
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
    const layer = new Layer(config, rng, seed, Uint32Array.from(shape), step);
    try {
        return callNext(layer, x);
    } finally {
        layer.free();
    }
}
