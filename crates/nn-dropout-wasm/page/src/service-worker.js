// Keeps the page's files, so that it works without a network. vite.config.ts fills in the names.

const CACHE = 'nn-dropout-VERSION';
const early = EARLY;
const late = LATE;

addEventListener('install', event => {
    event.waitUntil(
        caches
            .open(CACHE)
            .then(cache => cache.addAll(early))
            .then(() => skipWaiting()),
    );
});

addEventListener('activate', event => {
    const old = async () => (await caches.keys()).filter(name => name.startsWith('nn-dropout-') && name !== CACHE);
    event.waitUntil(
        old()
            .then(names => Promise.all(names.map(name => caches.delete(name))))
            .then(() => clients.claim()),
    );
});

// The page asks for the network's part when it has nothing else to do.
addEventListener('message', event => {
    if (event.data === 'keep all') {
        const missing = async cache => {
            const known = await Promise.all(late.map(name => cache.match(name)));
            return late.filter((_name, index) => !known[index]);
        };
        event.waitUntil(caches.open(CACHE).then(async cache => cache.addAll(await missing(cache))));
    }
});

addEventListener('fetch', event => {
    if (event.request.method !== 'GET' || new URL(event.request.url).origin !== location.origin) {
        return;
    }
    // `?lang=ja` is the same page.
    const search = { ignoreSearch: event.request.mode === 'navigate' };
    event.respondWith(
        caches.open(CACHE).then(async cache => (await cache.match(event.request, search)) ?? fetch(event.request)),
    );
});
