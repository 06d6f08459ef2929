/** Reads NumPy's files, versions 1 to 3, as the service writes them: little-endian float32 in C order. */

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];

/**
 * The values and the shape of a file.
 * @param {ArrayBuffer} buffer
 * @returns {{values: Float32Array, shape: number[]}}
 * @throws {Error} when it is another kind of file
 */
export function parseNpy(buffer) {
  const bytes = new Uint8Array(buffer);
  if (!MAGIC.every((byte, place) => bytes[place] === byte)) throw new Error("This is no npy file.");
  const view = new DataView(buffer);
  const short = bytes[6] === 1;
  const start = short ? 10 : 12;
  const length = short ? view.getUint16(8, true) : view.getUint32(8, true);
  const header = new TextDecoder().decode(bytes.subarray(start, start + length));
  if (!header.includes("'<f4'") || !header.includes("'fortran_order': False")) {
    throw new Error(`This npy file is not float32 in C order: ${header.trim()}`);
  }
  const shape = (/'shape': \(([^)]*)\)/.exec(header)?.[1] ?? "")
    .split(",")
    .filter((part) => part.trim())
    .map(Number);
  const count = shape.reduce((product, side) => product * side, 1);
  return { values: new Float32Array(buffer.slice(start + length, start + length + 4 * count)), shape };
}
