import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { defineConfig, type Plugin } from 'vite';

/** What the page may load: its own files, and nothing from or to anywhere else. */
const policy = [
    "default-src 'none'",
    "script-src 'self' 'wasm-unsafe-eval'",
    "worker-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "manifest-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
].join('; ');

function contentSecurityPolicy(): Plugin {
    return {
        name: 'content-security-policy',
        apply: 'build',
        transformIndexHtml: () => [
            {
                tag: 'meta',
                attrs: { 'http-equiv': 'Content-Security-Policy', content: policy },
                injectTo: 'head-prepend',
            },
        ],
    };
}

/** Writes the service worker, which has to know the names of all files of this build. */
function serviceWorker(): Plugin {
    return {
        name: 'service-worker',
        apply: 'build',
        generateBundle: {
            order: 'post',
            handler(_options, bundle) {
                const files = Object.keys(bundle).filter(name => !name.endsWith('.map'));
                // The network's part is several megabytes: it is fetched when the page is idle.
                const late = files.filter(name => name.includes('nn_dropout_training'));
                const early = files.filter(name => !late.includes(name));
                const version = createHash('sha256')
                    .update(files.join())
                    .update(readFileSync('index.html'))
                    .digest('hex');
                const source = readFileSync('src/service-worker.js', 'utf8')
                    .replace('VERSION', version.slice(0, 16))
                    .replace('EARLY', JSON.stringify(['./', ...early.filter(name => name !== 'index.html')]))
                    .replace('LATE', JSON.stringify(late));
                this.emitFile({ type: 'asset', fileName: 'service-worker.js', source });
            },
        },
    };
}

export default defineConfig({
    base: './',
    build: {
        outDir: '../../../target/page',
        emptyOutDir: true,
        target: 'es2023',
        // Browsers that have light-dark(): a rewritten one would not follow the switch.
        cssTarget: ['chrome123', 'firefox120', 'safari17.5'],
        // Every file as it is, so that the policy above can forbid data in addresses.
        assetsInlineLimit: 0,
    },
    worker: { format: 'es' },
    plugins: [contentSecurityPolicy(), serviceWorker()],
});
