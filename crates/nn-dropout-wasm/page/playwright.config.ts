import { defineConfig } from '@playwright/test';

const port = 4173;

export default defineConfig({
    testDir: 'tests',
    outputDir: 'test-results',
    // Trainings use all cores, and some tests measure times.
    workers: 1,
    timeout: 180_000,
    reporter: 'list',
    use: {
        baseURL: `http://localhost:${port}/nn-dropout/`,
        viewport: { width: 1280, height: 900 },
        launchOptions: {
            executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
            args: ['--no-sandbox', '--disable-gpu'],
        },
    },
    webServer: { command: `node tests/server.mjs ${port}`, url: `http://localhost:${port}/nn-dropout/` },
    projects: [
        { name: 'tests', testMatch: '*.test.ts' },
        { name: 'screenshots', testMatch: 'screenshots.ts' },
    ],
});
