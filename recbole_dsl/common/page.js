"use strict";

function read(script) {
  return JSON.parse(script.textContent);
}

// Draws what is shown, once; a plot that was drawn for another width is fitted to this one.
function drawShown() {
  for (const plot of document.querySelectorAll(".plotly-graph-div")) {
    if (!plot.offsetParent) continue;
    if (typeof Plotly === "undefined") {
      plot.textContent = "This picture needs the file " + document.body.dataset.plotly +
        ", which was written beside this page.";
    } else if (plot.dataset.drawn) {
      Plotly.Plots.resize(plot);
    } else {
      plot.dataset.drawn = "yes";
      const { data, layout } = read(plot.parentNode.querySelector("script"));
      layout.template = read(document.getElementById("template"));
      Plotly.newPlot(plot, data, layout, { displayModeBar: false, responsive: true });
    }
  }
}

function choose(value) {
  for (const part of document.querySelectorAll("[data-choice]")) {
    part.hidden = part.dataset.choice !== value;
  }
  drawShown();
}

function save(button) {
  const plot = button.closest("figure").querySelector(".plotly-graph-div");
  Plotly.downloadImage(plot, {
    format: button.dataset.save,
    filename: plot.dataset.name,
    width: plot.offsetWidth,
    height: plot.offsetHeight,
    scale: button.dataset.save === "png" ? 2 : 1,
  });
}

async function copy(button) {
  const source = button.parentNode.querySelector("textarea");
  try {
    await navigator.clipboard.writeText(source.value);
  } catch {  // a browser that gives pages from a folder no clipboard
    source.hidden = false;
    source.select();
    document.execCommand("copy");
    source.hidden = true;
  }
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = "Copy as LaTeX"; }, 2000);
}

document.addEventListener("click", event => {
  const button = event.target.closest("button");
  if (button && button.dataset.save) save(button);
  else if (button) copy(button);
});
document.addEventListener("DOMContentLoaded", () => {
  const chosen = document.querySelector(".choices select");
  if (chosen) chosen.addEventListener("change", () => choose(chosen.value));
  if (chosen) choose(chosen.value);
  else drawShown();
});
