// Files on their way to the emulator.

export const MOST_FILES = 10;
export const MOST_BYTES = 5_000_000;

/** A file as the control API takes it: its type, and its content in base64. */
export function encoded(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => {
      resolve({ contentType: file.type || "application/octet-stream", content: reader.result.split(",")[1] ?? "" });
    });
    reader.addEventListener("error", () => reject(new Error(`${file.name} cannot be read`)));
    reader.readAsDataURL(file);
  });
}
