/** The package's version; the build script puts it in. */
declare const __VERSION__: string;
