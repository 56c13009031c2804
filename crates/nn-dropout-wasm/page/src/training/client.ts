// Starts workers, and asks them.

import library from '../wasm/training/nn_dropout_training_bg.wasm?url';
import type { Calls, Name, Reply, Request, Start } from './protocol';

let compiled: Promise<WebAssembly.Module> | undefined;

/** Loads the library once, for all workers. */
export function load(): Promise<WebAssembly.Module> {
    compiled ??= WebAssembly.compileStreaming(fetch(library)).catch((error: unknown) => {
        compiled = undefined; // so that another try is possible
        throw error;
    });
    return compiled;
}

interface Waiting {
    resolve(result: unknown): void;
    reject(error: Error): void;
}

export class Trainer {
    private readonly worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
    private readonly waiting = new Map<number, Waiting>();
    private readonly started: Promise<void>;
    private count = 0;

    constructor() {
        this.worker.addEventListener('message', ({ data }: MessageEvent<Reply>) => {
            const { resolve, reject } = this.waiting.get(data.id)!;
            this.waiting.delete(data.id);
            if ('error' in data) {
                reject(new Error(data.error));
            } else {
                resolve(data.result);
            }
        });
        this.worker.addEventListener('error', event => this.fail(event.message));
        this.started = load().then(module => this.worker.postMessage({ library: module } satisfies Start));
    }

    async call<K extends Name>(name: K, ...args: Parameters<Calls[K]>): Promise<ReturnType<Calls[K]>> {
        await this.started;
        return new Promise((resolve, reject) => {
            const id = this.count++;
            this.waiting.set(id, { resolve: resolve as (result: unknown) => void, reject });
            this.worker.postMessage({ id, name, args } satisfies Request<K>);
        });
    }

    /** Stops the worker, also in the middle of a call. That call never returns. */
    close(): void {
        this.worker.terminate();
    }

    private fail(message: string): void {
        this.waiting.forEach(({ reject }) => reject(new Error(message)));
        this.waiting.clear();
    }
}
