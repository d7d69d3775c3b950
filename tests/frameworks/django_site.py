"""A Django project in one function: settings, a fresh database, collected static files, a user who may log in."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import call_command

USER, PASSWORD = "keeper", "let me in"


class Project(NamedTuple):
    """`root` is the folder of static files, for the server; `folder` is for the pages that send files."""

    app: WSGIHandler
    root: Path
    folder: Path


def configure(folder: Path) -> Project:
    """Sets Django up below `folder`: once in a process, for it keeps its settings globally."""
    root = folder / "www"
    backends = "django.contrib.auth.context_processors.auth", "django.contrib.messages.context_processors.messages"
    settings.configure(
        SECRET_KEY="for tests only",
        ALLOWED_HOSTS=["127.0.0.1"],
        ROOT_URLCONF="tests.frameworks.django_pages",
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(folder / "db.sqlite3")}},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        INSTALLED_APPS=[
            "django.contrib.admin",
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "django.contrib.messages",
            "django.contrib.staticfiles",
        ],
        MIDDLEWARE=[
            "django.middleware.security.SecurityMiddleware",
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.common.CommonMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
            "django.middleware.clickjacking.XFrameOptionsMiddleware",
        ],
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {"context_processors": ["django.template.context_processors.request", *backends]},
            }
        ],
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],  # quick
        STATIC_URL="/static/",
        STATIC_ROOT=str(root / "static"),
        MEDIA_ROOT=str(folder / "files"),
        LOGGING_CONFIG=None,
        USE_TZ=True,
    )
    django.setup()
    _fill()
    (folder / "files").mkdir()
    return Project(WSGIHandler(), root, folder / "files")


def _fill() -> None:
    # These need Django to be set up.
    from django.contrib.auth import get_user_model
    from django.db import connections

    call_command("migrate", verbosity=0)
    call_command("collectstatic", verbosity=0, interactive=False)
    get_user_model().objects.create_superuser(USER, password=PASSWORD)
    connections.close_all()
