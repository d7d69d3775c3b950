"""A Django application: /articles/<id>/comments is a page with a template and about 0.6 ms of work; / is 13 bytes."""

from __future__ import annotations

import datetime as dt

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path

COMMENTS = 3

PAGE = """<!doctype html>
<html lang="en"><head><title>{{ title }}</title></head><body class="{{ theme }}">
<h1>{{ title|title }}</h1>
<nav>{% for name, target in menu %}<a href="{{ target }}">{{ name }}</a>{% if not forloop.last %} | {% endif %}\
{% endfor %}</nav>
<p>{{ comments|length }} comment{{ comments|length|pluralize }}, page {{ number }}</p>
{% for comment in comments %}<article id="c{{ comment.id }}" class="{% cycle 'odd' 'even' %}">
<h2>{{ comment.author }}</h2><time>{{ comment.written|date:"j F Y, H:i" }}</time>
<p>{{ comment.text|truncatewords:8 }}</p></article>
{% empty %}<p>None yet.</p>{% endfor %}
<footer>{{ comments.0.written|date:"Y" }}</footer></body></html>
"""

settings.configure(
    DEBUG=False,
    SECRET_KEY="for benchmarks only",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "OPTIONS": {
                "loaders": [
                    (
                        "django.template.loaders.cached.Loader",
                        [
                            ("django.template.loaders.locmem.Loader", {"page.html": PAGE}),
                        ],
                    )
                ]
            },
        }
    ],
    USE_TZ=False,
)
django.setup()

_BEGUN = dt.datetime(2024, 2, 29, 12, 30)
_TEXT = (
    "What the author says about <threads> & locks is as short as it is true, and was seen in practice by many of us."
)


def hello(request: HttpRequest) -> HttpResponse:
    return HttpResponse("Hello, world!", content_type="text/plain")


def comments(request: HttpRequest, article: int) -> HttpResponse:
    """Everything depends on path, query and cookie, as it does in practice."""
    page = int(request.GET.get("page", "1"))
    values = [
        {
            "id": article * 100 + number,
            "author": f"Visitor {article % 89 + number}",
            "written": _BEGUN + dt.timedelta(minutes=number * article),
            "text": _TEXT,
        }
        for number in range(COMMENTS)
    ]
    context = {
        "title": f"comments on article {article}",
        "theme": request.COOKIES.get("theme", "light"),
        "menu": [("Start", "/"), ("Articles", "/articles/"), ("About", "/about")],
        "comments": values,
        "number": page,
    }
    return render(request, "page.html", context)


urlpatterns = [path("", hello), path("articles/<int:article>/comments", comments)]
app = get_wsgi_application()
