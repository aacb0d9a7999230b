/**
 * A report as one page: nothing is fetched, and its security policy lets run the one script and the one style that the
 * build has put into it, and nothing else. All text from files is JSON in a block of data, which the script puts into
 * the page as text.
 */
import { toPageJson } from '../json.js'
import { escapeMarkup } from '../markup.js'

/** What the build has made of src/render/page (scripts/bundle.mjs). */
export interface PageAssets {
  readonly script: string
  readonly style: string
  /** `sha256-…` of both. */
  readonly scriptHash: string
  readonly styleHash: string
}

/** `live`: the page is served, and asks its own server for news. */
export function renderReportPage(
  document: object,
  { script, style, scriptHash, styleHash }: PageAssets,
  { title, live = false }: { readonly title: string; readonly live?: boolean },
): string {
  const policy = pagePolicy({ scriptHash, styleHash }, live)
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${escapeMarkup(policy)}">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="ckpt report">${live ? '\n<meta name="ckpt-live" content="yes">' : ''}
<title>${escapeMarkup(title)}</title>
<style>${style}</style>
</head>
<body>
<noscript><p>This report is drawn by its own script, which this browser does not run. The numbers are in the page's source, as JSON.</p></noscript>
<script type="application/json" id="data">${toPageJson(document)}</script>
<script>${script}</script>
</body>
</html>
`
}

/** As the page's own, and as the header of one that is served. */
export function pagePolicy(
  { scriptHash, styleHash }: Pick<PageAssets, 'scriptHash' | 'styleHash'>,
  live: boolean,
): string {
  return [
    "default-src 'none'",
    `script-src '${scriptHash}'`,
    `style-src '${styleHash}'`,
    ...(live ? ["connect-src 'self'"] : []),
    "base-uri 'none'",
    "form-action 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; ')
}
