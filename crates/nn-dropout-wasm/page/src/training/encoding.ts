// The encoding of a file: spreadsheets still write what was usual in a country before UTF-8.

/** The name of a table's encoding, or undefined for what the library finds out by itself. */
export function encodingOf(table: Uint8Array, languages: readonly string[]): string | undefined {
    const isText = !table.includes(0); // UTF-16, Parquet and compressed files have zeros
    return isText && !isIn('utf-8', table) ? legacy(table, languages) : undefined;
}

/** What is in a file that gzip made, or the file itself. */
export async function unpacked(table: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
    if (table[0] !== 0x1f || table[1] !== 0x8b) {
        return table;
    }
    try {
        const stream = new Blob([table]).stream().pipeThrough(new DecompressionStream('gzip'));
        return new Uint8Array(await new Response(stream).arrayBuffer());
    } catch {
        return table; // the library says what is wrong with it
    }
}

function legacy(table: Uint8Array, languages: readonly string[]): string {
    // Bytes alone cannot tell: accented letters are valid in both.
    const isJapan = languages.some(language => language.startsWith('ja'));
    return isJapan && isIn('shift_jis', table) ? 'shift_jis' : 'windows-1252';
}

function isIn(encoding: string, table: Uint8Array): boolean {
    try {
        new TextDecoder(encoding, { fatal: true }).decode(table);
        return true;
    } catch {
        return false;
    }
}

export function toUtf8(table: Uint8Array, encoding: string | undefined): Uint8Array {
    return encoding === undefined ? table : new TextEncoder().encode(new TextDecoder(encoding).decode(table));
}
