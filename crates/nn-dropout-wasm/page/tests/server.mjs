// Serves the built page, or one in another folder, as GitHub Pages does: in a subfolder, compressed, and with these types.

import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const root = process.argv[3] ?? fileURLToPath(new URL('../../../../target/page/', import.meta.url));
const folder = '/nn-dropout/';
const types = {
    '.css': 'text/css',
    '.html': 'text/html; charset=utf-8',
    '.js': 'text/javascript',
    '.json': 'application/json',
    '.svg': 'image/svg+xml',
    '.wasm': 'application/wasm',
};
const compressed = new Map();

createServer(async (request, response) => {
    const { pathname } = new URL(request.url, 'http://localhost');
    const name = normalize(decodeURIComponent(pathname)).slice(folder.length) || 'index.html';
    try {
        if (!pathname.startsWith(folder)) {
            throw new Error('outside of the page');
        }
        if (!compressed.has(name)) {
            compressed.set(name, gzipSync(await readFile(join(root, name))));
        }
        response.writeHead(200, {
            'content-type': types[extname(name)],
            'content-encoding': 'gzip',
            'cache-control': 'max-age=600',
        });
        response.end(compressed.get(name));
    } catch {
        response.writeHead(404).end();
    }
}).listen(Number(process.argv[2]));
