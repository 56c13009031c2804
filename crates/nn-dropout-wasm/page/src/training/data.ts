// Tables of two classes in a plane, made here. A tenth of the labels are wrong, so that there is something to overfit to.

const ROWS = 800;
const NOISE = 0.2;
const FLIPPED = 0.1;

/** Random numbers from 0 to 1: Mulberry32, which is small and the same in every browser. */
function uniform(seed: number): () => number {
    let state = seed;
    return () => {
        state = (state + 0x6d2b79f5) | 0;
        let bits = Math.imul(state ^ (state >>> 15), state | 1);
        bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
        return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
    };
}

export type Shape = 'moons' | 'circles';

const shapes: Record<Shape, (second: boolean, angle: number) => [number, number]> = {
    moons: (second, angle) =>
        second ? [1 - Math.cos(angle / 2), 0.5 - Math.sin(angle / 2)] : [Math.cos(angle / 2), Math.sin(angle / 2)],
    circles: (second, angle) => {
        const radius = second ? 0.7 : 1.3;
        return [radius * Math.cos(angle), radius * Math.sin(angle)];
    },
};

/** A table with the columns x, y and class, as CSV. */
export function csv(shape: Shape): string {
    const random = uniform(2);
    const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    const rows = Array.from({ length: ROWS }, (_, row) => {
        const second = row % 2 === 1;
        const [x, y] = shapes[shape](second, 2 * Math.PI * random());
        const [noisyX, noisyY] = [x + NOISE * normal(), y + NOISE * normal()];
        const label = random() < FLIPPED ? !second : second;
        // With three decimals the last bits of sines and logarithms, which browsers round as they like, do not matter.
        return `${noisyX.toFixed(3)},${noisyY.toFixed(3)},${label ? 'b' : 'a'}\n`;
    });
    return `x,y,class\n${rows.join('')}`;
}
