"""The script of a listing's page, which contains it. The page works without it."""

from __future__ import annotations

from typing import Final

# Dates in the reader's time zone; a filter while it is typed; folders above as links, which can be opened in a tab of
# their own. (In the page they are buttons: programs that follow each link of a page would leave the folder by links.)
SCRIPT: Final = r"""
"use strict";
const two = number => String(number).padStart(2, "0");
for (const time of document.querySelectorAll("time")) {
  const date = new Date(time.dateTime);
  if (isNaN(date)) continue;
  time.textContent = date.getFullYear() + "-" + two(date.getMonth() + 1) + "-" + two(date.getDate()) + " " +
    two(date.getHours()) + ":" + two(date.getMinutes());
}
for (const note of document.querySelectorAll(".utc")) note.remove();

for (const button of document.querySelectorAll("nav button")) {
  const link = document.createElement("a");
  const query = new URLSearchParams(new FormData(button.form)).toString();
  link.href = button.getAttribute("formaction") + (query && "?" + query);
  link.textContent = button.textContent;
  button.replaceWith(link);
}

const input = document.querySelector("input[type=search]");
const items = [...document.querySelectorAll("tbody tr:not(.up), .grid li:not(.up)")];
const letters = {"\u00df": "ss", "\u00e6": "ae", "\u0153": "oe", "\u00f8": "o", "\u0111": "d", "\u00f0": "d",
  "\u00fe": "th", "\u0127": "h", "\u0131": "i", "\u0142": "l", "\u0167": "t", "\u014b": "n"};
const folded = text => text.toLowerCase().normalize("NFD").replace(/([a-z\u0370-\u03ff])[\u0300-\u036f]+/g, "$1")
  .normalize("NFC").replace(/[\u00df-\u0167]/g, letter => letters[letter] || letter);
if (input && items.length) {
  const names = items.map(item => folded(item.querySelector("a").textContent));
  const count = document.querySelector("#count");
  const whole = count.textContent;
  const none = document.querySelector("#none");
  const asked = folded(input.defaultValue).split(/\s+/);
  const filter = () => {
    if (input.defaultValue && !input.value) return input.form.submit();
    const words = folded(input.value).split(/\s+/);
    if (!asked.every(part => words.some(word => word.includes(part)))) {
      count.textContent = "Enter searches all names";  // most are not in this page
      return;
    }
    let shown = 0;
    items.forEach((item, at) => {
      const matches = words.every(word => names[at].includes(word));
      item.hidden = !matches;
      shown += matches;
    });
    none.hidden = shown > 0;
    count.textContent = shown < items.length ? shown + " of " + items.length + " shown" : whole;
  };
  input.addEventListener("input", filter);
  if (input.value !== input.defaultValue) filter();
  input.addEventListener("keydown", event => {
    if (event.key === "Escape" && input.value) {
      event.preventDefault();
      input.value = "";
      filter();
    }
  });
}
"""
