// Keeps the page's files, so that it works without a network. vite.config.ts fills in the names.

const CACHE = 'nn-dropout-VERSION';
const early = EARLY;
const late = LATE;

const folder = new URL('./', location.href).pathname;

/** From the server: the browser's own cache may still hold the page of an older build. */
const fresh = name => new Request(name, { cache: 'reload' });

addEventListener('install', event => {
    event.waitUntil(
        caches
            .open(CACHE)
            .then(cache => cache.addAll(early.map(fresh)))
            .then(() => skipWaiting()),
    );
});

addEventListener('activate', event => event.waitUntil(clients.claim()));

// The page asks for the network's part when it has nothing else to do.
addEventListener('message', event => {
    if (event.data === 'keep all') {
        const missing = async cache => {
            const known = await Promise.all(late.map(name => cache.match(name)));
            return late.filter((_name, index) => !known[index]);
        };
        event.waitUntil(caches.open(CACHE).then(async cache => cache.addAll((await missing(cache)).map(fresh))));
    }
});

/** A page of an older build that is still open needs the files of that build. They have other names. */
async function forgetOld() {
    if ((await clients.matchAll({ includeUncontrolled: true })).length === 0) {
        const names = (await caches.keys()).filter(name => name.startsWith('nn-dropout-') && name !== CACHE);
        await Promise.all(names.map(name => caches.delete(name)));
    }
}

addEventListener('fetch', event => {
    const { origin, pathname } = new URL(event.request.url);
    if (event.request.method !== 'GET' || origin !== location.origin) {
        return;
    }
    // `?lang=ja` is the same page. It is the newest one.
    if ([folder, `${folder}index.html`].includes(pathname)) {
        event.waitUntil(forgetOld());
        event.respondWith(caches.open(CACHE).then(async cache => (await cache.match('./')) ?? fetch(event.request)));
    } else {
        event.respondWith(caches.match(event.request).then(known => known ?? fetch(event.request)));
    }
});
