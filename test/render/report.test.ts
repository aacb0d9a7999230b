/** The page of a report as text: what it lets run, and what names and metas cannot become. */
import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { renderReportPage } from '../../src/render/report/page.js'

const hash = (text: string) => `sha256-${createHash('sha256').update(text).digest('base64')}`
const script = 'document.title'
const style = 'body{}'
const assets = { script, style, scriptHash: hash(script), styleHash: hash(style) }
const wild = '</script><script>alert(1)</script><!--" onload="alert(1)\u202e\u2028'

describe('the page of a report', () => {
  const page = renderReportPage({ [wild]: [wild] }, assets, { title: wild })

  it('lets its own script and style run and nothing else, and fetches nothing', () => {
    const [, policy = ''] = /Content-Security-Policy" content="([^"]*)"/.exec(page) ?? []
    expect(policy).toContain('default-src &#39;none&#39;')
    expect(policy).toContain(`script-src &#39;${assets.scriptHash}&#39;`)
    expect(policy).not.toMatch(/unsafe|https?:|\*|connect-src/)
    expect(page).not.toMatch(/\b(?:src|href)=/)
  })

  it('has no markup that a name or a meta has brought', () => {
    expect([...page.matchAll(/<script/g)]).toHaveLength(2)
    expect([...page.matchAll(/<\/script/g)]).toHaveLength(2)
    expect(page).not.toContain('<!--')
    const [, title = ''] = /<title>(.*?)<\/title>/s.exec(page) ?? []
    expect(title).not.toMatch(/[<>"\u202e]/)
  })

  it('gives its data back as they were', () => {
    const [, data = ''] = /<script type="application\/json" id="data">(.*?)<\/script>/s.exec(page) ?? []
    expect(JSON.parse(data)).toEqual({ [wild]: [wild] })
  })

  it('asks its own server for news where it is served', () => {
    expect(renderReportPage({}, assets, { title: '', live: true })).toContain('connect-src &#39;self&#39;')
  })
})
