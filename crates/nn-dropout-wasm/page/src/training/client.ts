// Starts workers, and asks them.

import library from '../wasm/training/nn_dropout_training_bg.wasm?url';
import { t } from '../i18n';
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

/** What the library says, in English. */
export class LibraryError extends Error {}

/** What the page says itself. */
export class PageError extends Error {
    constructor(readonly text: () => string) {
        super(text());
    }
}

interface Waiting {
    resolve(result: unknown): void;
    reject(error: Error): void;
}

export class Trainer {
    private readonly worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
    private readonly waiting = new Map<number, Waiting>();
    private readonly started: Promise<void>;
    /** Why the worker cannot be asked any more. */
    private failure: Error | undefined;
    private count = 0;

    constructor() {
        this.worker.addEventListener('message', ({ data }: MessageEvent<Reply>) => {
            const { resolve, reject } = this.waiting.get(data.id)!;
            this.waiting.delete(data.id);
            if ('error' in data) {
                reject(data.crashed ? new PageError(() => t.crashed) : new LibraryError(data.error));
            } else {
                resolve(data.result);
            }
        });
        this.worker.addEventListener('error', () => this.fail(new PageError(() => t.noWorker)));
        this.started = load().then(module => this.worker.postMessage({ library: module } satisfies Start));
        this.started.catch(() => undefined); // the calls say so
    }

    async call<K extends Name>(name: K, ...args: Parameters<Calls[K]>): Promise<ReturnType<Calls[K]>> {
        await this.started;
        if (this.failure) {
            throw this.failure; // it came before anything was asked
        }
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

    private fail(error: Error): void {
        this.failure = error;
        this.waiting.forEach(({ reject }) => reject(error));
        this.waiting.clear();
    }
}
