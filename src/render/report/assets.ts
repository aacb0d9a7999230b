/** The page's script and style, which the build makes of src/render/page and lays beside the program (scripts/bundle.mjs). */
import type { PageAssets } from './page.js'

export async function pageAssets(): Promise<PageAssets> {
  return import('#page')
}
