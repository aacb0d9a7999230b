/** A picture of lines as one of points. */
import { brotliDecompressSync } from 'node:zlib'

/** `svg` is drawn at its own size. Whatever else it may name, nothing but the font that comes with ckpt is read. */
export async function renderPng(svg: string): Promise<Uint8Array> {
  const { Resvg, initWasm, wasm, font } = await import('#png')
  await initWasm(brotliDecompressSync(Buffer.from(wasm, 'base64')))
  const resvg = new Resvg(svg, {
    font: {
      loadSystemFonts: false,
      fontBuffers: [brotliDecompressSync(Buffer.from(font, 'base64'))],
      defaultFontFamily: 'DejaVu Sans',
      sansSerifFamily: 'DejaVu Sans',
    },
  })
  try {
    const image = resvg.render()
    try {
      return image.asPng()
    } finally {
      image.free()
    }
  } finally {
    resvg.free()
  }
}
