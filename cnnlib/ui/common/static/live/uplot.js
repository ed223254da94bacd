/** uPlot, loaded once from the file that its authors ship (a classic script that sets one global). */

let loading = null;

/** @param {string} address Folder of the script. */
export function loadUPlot(address) {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = `${address}/uPlot.iife.min.js`;
    script.onload = () => resolve(window.uPlot);
    script.onerror = () => {
      loading = null; // a later mount tries again
      reject(new Error(`The chart library could not be loaded from ${script.src}.`));
    };
    document.head.append(script);
  });
  return loading;
}
