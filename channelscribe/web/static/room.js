// What every page has: keys, dates in the reader's zone, and what runs now. No framework and no build step: each
// page is HTML that reads without this; one small module stands for each thing that moves.
const keys = document.getElementById('keys')

document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest('input, select, textarea, dialog')) return
  if (event.key === '/') {
    event.preventDefault()
    document.querySelector('main input[type=search], input[type=search]')?.focus()
  } else if (event.key === '?') {
    keys?.showModal()
  }
})

for (const time of document.querySelectorAll('time[data-moment]')) {
  time.textContent = new Date(time.dateTime).toLocaleString(document.documentElement.lang || undefined,
    { dateStyle: 'medium', timeStyle: 'short' })
}

const live = document.querySelector('[data-live]')
if (live) {
  const rows = live.querySelector('tbody')
  const none = live.querySelector('[data-none]')
  new EventSource(live.dataset.live).addEventListener('activity', (event) => {
    const running = JSON.parse(event.data).videos.filter((video) => video.in_work)
    none.hidden = running.length > 0
    rows.replaceChildren(...running.map(row))
  })
}

function row (video) {
  const made = document.createElement('tr')
  const link = document.createElement('a')
  link.href = `/v/${encodeURIComponent(video.site)}/${encodeURIComponent(video.video)}`
  link.textContent = video.title || video.video
  const cells = [link, video.step ?? 'queued', '']
  if (video.step_fraction !== null) {
    const progress = document.createElement('progress')
    progress.value = video.step_fraction
    progress.setAttribute('aria-label', `${Math.round(video.step_fraction * 100)} %`)
    cells[2] = progress
  }
  for (const cell of cells) made.insertCell().append(cell)
  return made
}
