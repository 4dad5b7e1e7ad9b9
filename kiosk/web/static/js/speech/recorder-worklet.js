// Runs on the device's audio thread: hands what the microphone gives to the page.

class Recorder extends AudioWorkletProcessor {
  process([input]) {
    if (input.length > 0) this.port.postMessage(input[0]);
    return true;
  }
}

registerProcessor("recorder", Recorder);
