"""The pages of django_site.py: one for each thing that Django users do. Imported by Django itself, as its URL table."""

from __future__ import annotations

import hashlib
import io
import json
import threading
from collections.abc import Iterator
from pathlib import Path

from django import forms
from django.conf import settings
from django.contrib import admin
from django.db import connection
from django.http import (
    FileResponse,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponsePermanentRedirect,
    HttpResponseRedirect,
    JsonResponse,
    StreamingHttpResponse,
)
from django.shortcuts import redirect
from django.template import engines
from django.urls import path, reverse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from tests.client import PATIENCE

go_on = threading.Event()  # lets the second piece of /stream out; a test clears it


def front(request: HttpRequest) -> HttpResponse:
    return HttpResponse("the front page")


def item(request: HttpRequest, number: int, rest: str) -> JsonResponse:
    return JsonResponse({"number": number, "rest": rest, "query": dict(request.GET.lists())})


def old(request: HttpRequest) -> HttpResponseRedirect | HttpResponsePermanentRedirect:
    return redirect(request.build_absolute_uri(reverse("item", args=[5, "a b/ü"])))


class NameForm(forms.Form):
    name = forms.CharField(max_length=20)


FORM = "<form method=post>{% csrf_token %}{{ form }}</form>{% if greeting %}<p>Hello, {{ greeting }}!</p>{% endif %}"


def name_form(request: HttpRequest) -> HttpResponse:
    form = NameForm(request.POST or None)
    greeting = form.cleaned_data["name"] if form.is_valid() else ""
    page = engines["django"].from_string(FORM).render({"form": form, "greeting": greeting}, request)
    return HttpResponse(page)


@csrf_exempt
@require_POST
def upload(request: HttpRequest) -> JsonResponse:
    file = request.FILES["file"]
    digest = hashlib.sha256()
    for block in file.chunks():
        digest.update(block)
    return JsonResponse(
        {"name": file.name, "size": file.size, "hash": digest.hexdigest(), "note": request.POST["note"]}
    )


@csrf_exempt
def raw(request: HttpRequest) -> JsonResponse:
    digest = hashlib.sha256(request.body)
    return JsonResponse({"length": request.META["CONTENT_LENGTH"], "hash": digest.hexdigest()})


@csrf_exempt
def echo_json(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"received": json.loads(request.body)})


def stream(request: HttpRequest) -> StreamingHttpResponse:
    def pieces() -> Iterator[str]:
        yield "first "
        assert go_on.wait(PATIENCE)
        yield "second"

    return StreamingHttpResponse(pieces(), content_type="text/plain")


def file(request: HttpRequest, name: str) -> HttpResponseBase:
    return FileResponse((Path(settings.MEDIA_ROOT) / name).open("rb"), as_attachment=True)


def file_from_memory(request: HttpRequest) -> HttpResponseBase:
    return FileResponse(io.BytesIO(b"from memory"), filename="note.txt")


def count(request: HttpRequest) -> HttpResponse:
    request.session["count"] = request.session.get("count", 0) + 1
    return HttpResponse(str(request.session["count"]))


def cookies(request: HttpRequest) -> JsonResponse:
    response = JsonResponse(request.COOKIES)
    response.set_cookie("first", "1", httponly=True)
    response.set_cookie("second", "2")
    return response


def fault(request: HttpRequest) -> HttpResponse:
    raise LookupError("on purpose")


def query_database(request: HttpRequest) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 6 * 7")
        (answer,) = cursor.fetchone()
    return HttpResponse(str(answer))


urlpatterns = [
    path("", front),
    path("item/<int:number>/<path:rest>", item, name="item"),
    path("old", old),
    path("form", name_form),
    path("upload", upload),
    path("raw", raw),
    path("json", echo_json),
    path("stream", stream),
    path("file", file_from_memory),
    path("file/<name>", file),
    path("count", count),
    path("cookies", cookies),
    path("fault", fault),
    path("database", query_database),
    path("admin/", admin.site.urls),
]
