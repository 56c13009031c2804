// What the page says about an error.

import { t } from '../i18n';
import { LibraryError, PageError } from './client';
import { forPage } from './hints';

export interface Problem {
    /** The language may change. */
    text: () => string;
    /** The language of the text if it is not the page's. */
    lang?: string;
}

export function problemOf(error: unknown): Problem {
    if (error instanceof PageError) {
        return { text: error.text };
    }
    const { message } = error as Error;
    return error instanceof LibraryError
        ? { text: () => forPage(message, t.which.regression), lang: 'en' }
        : { text: () => t.failed(message) };
}
