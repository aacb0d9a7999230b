/** Draws an SVG as a PNG. */
import { brotliDecompressSync } from 'node:zlib'
import { CkptError } from '../../core/errors.js'

/**
 * The PNG has the size that `svg` says. No file that it names is read; its texts are drawn in the font that ckpt brings.
 * Throws CkptError `refused` in the one-file executable, which draws none.
 */
export async function renderPng(svg: string): Promise<Uint8Array> {
  const { Resvg, initWasm, wasm, font } = await import('#png')
  if (wasm === null) {
    throw new CkptError('refused', 'this ckpt is one file, which has no room for what draws PNG', {
      hint: 'name a file that ends in .svg or .html; the npm package draws .png too',
    })
  }
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
