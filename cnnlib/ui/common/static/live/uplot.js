/** Loader of uPlot: a classic script that sets one global. */

let loading = null;

/** Load the library once. @param {string} address Folder of the script. */
export function loadUPlot(address) {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = `${address}/uPlot.iife.min.js`;
    script.onload = () => resolve(window.uPlot);
    script.onerror = () => {
      loading = null; // so that a later mount retries
      reject(new Error(`The chart library could not be loaded from ${script.src}.`));
    };
    document.head.append(script);
  });
  return loading;
}
