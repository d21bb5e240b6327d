/** Every page is live state of a local server: the shell is drawn by the browser, nothing is rendered twice. */
export const ssr = false;
