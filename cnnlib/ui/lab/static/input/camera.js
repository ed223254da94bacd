/** The browser's camera as a picture that moves: ten of its frames a second go to the pad. */

const FRAME_MS = 100; // between two frames
const NOT_ALLOWED = "The browser does not let this page use the camera. Allow it in the browser's settings for this page.";
const NOT_FOUND = "The browser found no camera that it can open.";

export class Camera {
  /** @param {(frame: HTMLVideoElement, size: {width: number, height: number}) => void} onFrame */
  constructor(onFrame) {
    Object.assign(this, { onFrame, video: null, wanted: 0 });
  }

  /** Whether the browser offers a camera here: over HTTPS, or on its own machine. */
  static get isOffered() {
    return Boolean(navigator.mediaDevices?.getUserMedia);
  }

  get isOn() {
    return this.video !== null;
  }

  /** Open the camera; rejects with a sentence where that fails. */
  async start() {
    const wanted = ++this.wanted;
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { width: 320, height: 240 }, audio: false });
    } catch (error) {
      throw new Error(error.name === "NotAllowedError" ? NOT_ALLOWED : NOT_FOUND);
    }
    if (wanted !== this.wanted) return close(stream); // stopped meanwhile
    const video = document.createElement("video");
    Object.assign(video, { srcObject: stream, muted: true, playsInline: true });
    this.video = video;
    await video.play();
    this.timer = setInterval(() => this.#take(), FRAME_MS);
  }

  #take() {
    const { videoWidth: width, videoHeight: height } = this.video;
    if (width && !document.hidden) this.onFrame(this.video, { width, height });
  }

  stop() {
    this.wanted++;
    clearInterval(this.timer);
    if (this.video) close(this.video.srcObject);
    this.video = null;
  }
}

const close = (stream) => stream.getTracks().forEach((track) => track.stop());
