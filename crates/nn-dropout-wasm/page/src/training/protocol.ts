// What the page and its workers say to each other.

/** One measurement of a network. */
export interface Progress {
    epoch: number;
    train: Score;
    validation: Score;
}

export interface Score {
    loss: number;
    metric: number;
}

/** What a sweep says so far. Scores are to be multiplied by `factor`. */
export interface Answer {
    metric: string;
    axis: string;
    factor: number;
    columns: string[];
    rows: Row[];
    /** Places among the rows. */
    chosen: number;
    best: number;
    /** Whether errors are known: not from one training, or with too few rows. */
    certain: boolean;
    /** Places of the rows that are known to be better than no dropout. */
    helpful: number[];
    /** `unknown` if it is not certain. */
    verdict: 'helps' | 'harms' | 'unsure' | 'none' | 'unknown';
    sentences: string[];
    config: string;
}

/** A rate and its trials. */
export interface Row {
    /** As the library shows them, for each of the columns. */
    cells: string[];
    mark: string;
    rate: number;
    /** JSON has no NaN: null stands for it. */
    train: number | null;
    validation: number | null;
    error: number | null;
    complete: number;
}

/** What a worker does. It has one training and one sweep at a time. */
export interface Calls {
    columns(name: string, table: Uint8Array): string[];
    /** Returns the number of epochs. */
    openTraining(table: Uint8Array | undefined, settings: string): number;
    advance(): Progress | undefined;
    rows(part: 'train' | 'validation'): Float32Array;
    /** For each of the rows its class and the uncertainty, from 0 to 1. */
    read(part: 'train' | 'validation', rows: Uint32Array, samples: number): Float32Array;
    plane(
        xmin: number,
        xmax: number,
        ymin: number,
        ymax: number,
        width: number,
        height: number,
        samples: number,
    ): Float32Array;
    openSweep(
        name: string,
        table: Uint8Array | undefined,
        settings: string,
        rates: Float64Array,
        seeds: number,
    ): { notes: string[]; trials: string[] };
    /** Returns the trial's result, which only the library can read. */
    run(trial: number): string;
    /** Undefined if no score is a number. */
    answer(results: string[]): Answer | undefined;
    resultsCsv(results: string[]): string;
}

export type Name = keyof Calls;

/** The first message to a worker: the compiled library. */
export interface Start {
    library: WebAssembly.Module;
}

export interface Request<K extends Name = Name> {
    id: number;
    name: K;
    args: Parameters<Calls[K]>;
}

export type Reply = { id: number; result: unknown } | { id: number; error: string; crashed: boolean };
