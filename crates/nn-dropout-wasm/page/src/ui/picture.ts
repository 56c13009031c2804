// A small landscape to drop parts of, and how tensors are drawn on canvases.

import { rgb } from './theme';

export const SIDE = 32;

type Colour = [number, number, number];

/** The colour of the landscape at a point from (0, 0), top left, to (1, 1). */
function landscape(x: number, y: number): Colour {
    const mix = (a: Colour, b: Colour, share: number): Colour =>
        [0, 1, 2].map(i => a[i] + (b[i] - a[i]) * share) as Colour;
    const hill = 0.72 + 0.08 * Math.sin(4.2 * x + 0.6);
    const mountain = Math.min(0.36 + 0.9 * Math.abs(x - 0.64), 0.5 + 0.8 * Math.abs(x - 0.24));
    if (y > hill + 0.14) {
        return mix([0.2, 0.42, 0.24], [0.3, 0.54, 0.26], x);
    }
    if (y > hill) {
        return mix([0.42, 0.62, 0.3], [0.52, 0.68, 0.3], 1 - x);
    }
    if (y > mountain) {
        return y < 0.47 ? [0.88, 0.89, 0.93] : mix([0.43, 0.46, 0.6], [0.33, 0.42, 0.5], y);
    }
    if (Math.hypot(x - 0.24, y - 0.22) < 0.11) {
        return [0.98, 0.83, 0.38];
    }
    return mix([0.35, 0.58, 0.86], [0.85, 0.89, 0.93], 1.4 * y);
}

/** The landscape as a tensor of shape (3, 32, 32). */
export const coloured = new Float32Array(3 * SIDE * SIDE);
/** The landscape as a tensor of shape (32, 32). */
export const grey = new Float32Array(SIDE * SIDE);

for (let pixel = 0; pixel < SIDE * SIDE; pixel++) {
    const colours = landscape(((pixel % SIDE) + 0.5) / SIDE, (Math.floor(pixel / SIDE) + 0.5) / SIDE);
    colours.forEach((value, channel) => (coloured[channel * SIDE * SIDE + pixel] = value));
    // Dark, so that it has room for being multiplied.
    grey[pixel] = 0.55 * (0.3 * colours[0] + 0.6 * colours[1] + 0.1 * colours[2]);
}

/** The same tensor several times, one sample after the other. */
export function repeated(x: Float32Array, samples: number): Float32Array<ArrayBuffer> {
    const batch = new Float32Array(samples * x.length);
    for (let sample = 0; sample < samples; sample++) {
        batch.set(x, sample * x.length);
    }
    return batch;
}

/** Paints a canvas of this many pixels; the style sheet says how large they are. */
export function paint(
    canvas: HTMLCanvasElement,
    width: number,
    height: number,
    pixel: (x: number, y: number) => Colour,
): void {
    canvas.width = width;
    canvas.height = height;
    const image = new ImageData(width, height);
    for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) {
            const at = 4 * (y * width + x);
            const [red, green, blue] = pixel(x, y);
            image.data[at] = red;
            image.data[at + 1] = green;
            image.data[at + 2] = blue;
            image.data[at + 3] = 255;
        }
    }
    canvas.getContext('2d')!.putImageData(image, 0, 0);
}

/** A grey picture of values from 0 to 1. What is dropped has the colour of that. */
export function paintGrey(canvas: HTMLCanvasElement, values: Float32Array, kept?: Uint8Array): void {
    const dropped = rgb('--dropped');
    paint(canvas, SIDE, SIDE, (x, y) => {
        const at = y * SIDE + x;
        const value = 255 * values[at];
        return kept && !kept[at] ? dropped : [value, value, value];
    });
}

/** A value between two colours of the style sheet: 0 is the paper, 1 the accent. What is dropped has the colour of that. */
export function tint(value: number, kept = true): Colour {
    if (!kept) {
        return rgb('--dropped');
    }
    const paper = rgb('--paper');
    const accent = rgb('--accent');
    const share = Math.min(Math.max(value, 0), 1);
    return [0, 1, 2].map(i => paper[i] + (accent[i] - paper[i]) * share) as Colour;
}
