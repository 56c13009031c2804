// Numbers as readers and compilers take them.

/** For a reader: three digits, but never fewer than stand before the point. */
export const short = (value: number): string =>
    String(Math.abs(value) >= 1000 && Math.abs(value) < 1e15 ? Math.round(value) : Number(value.toPrecision(3)));

/** All of a number that is stored in 32 bits: the fewest digits that give the same bits. */
export function exact(value: number): string {
    for (let digits = 1; digits < 9; digits++) {
        const rounded = Number(value.toPrecision(digits));
        if (Math.fround(rounded) === value) {
            return String(rounded);
        }
    }
    return String(Number(value.toPrecision(9)));
}

/** A number in code: Rust and PyTorch tell 3 from 3.0. */
export const float = (digits: string): string => (/^-?\d+$/.test(digits) ? `${digits}.0` : digits);
