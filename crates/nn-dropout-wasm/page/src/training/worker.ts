// Trains networks, away from the page.

import init, { columns, Sweep, Training } from '../wasm/training/nn_dropout_training.js';
import type { Calls, Reply, Request, Start } from './protocol';

let ready: Promise<unknown>;
let training: Training | undefined;
let sweep: Sweep | undefined;

const calls: Calls = {
    columns,
    openTraining(table, settings) {
        training?.free();
        training = undefined;
        training = new Training(table, settings);
        return training.epochs;
    },
    advance() {
        const measured = training!.advance();
        return measured === undefined ? undefined : JSON.parse(measured);
    },
    rows: part => training!.rows(part),
    read: (...args) => training!.read(...args),
    plane: (...args) => training!.plane(...args),
    openSweep(...args) {
        sweep?.free();
        sweep = undefined;
        const opened = new Sweep(...args);
        sweep = opened;
        const trials = Array.from({ length: opened.trials }, (_, trial) => opened.trial(trial));
        return { notes: opened.notes(), trials };
    },
    run: trial => sweep!.run(trial),
    answer(results) {
        const answer = sweep!.answer(results);
        return answer === undefined ? undefined : JSON.parse(answer);
    },
    resultsCsv: results => sweep!.results_csv(results),
};

addEventListener('message', async ({ data }: MessageEvent<Start | Request>) => {
    if ('library' in data) {
        ready = init({ module_or_path: data.library });
        return;
    }
    let reply: Reply;
    try {
        await ready;
        const call = calls[data.name] as (...args: unknown[]) => unknown;
        reply = { id: data.id, result: call(...data.args) };
    } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        reply = { id: data.id, error: message, crashed: error instanceof WebAssembly.RuntimeError };
    }
    postMessage(reply);
});
