"""Moonbase: the Chalice app. Which service owns which paths stands here, and nothing else."""

from chalice.app import Chalice, CloudWatchEvent, Rate, SQSEvent

from chalicelib.account.routes import service as account
from chalicelib.contentdb.routes import service as contentdb
from chalicelib.core import jobs, uploads
from chalicelib.hel.routes import service as hel
from chalicelib.home.routes import service as home
from chalicelib.luadns.routes import service as luadns
from chalicelib.luarocks.routes import service as luarocks
from chalicelib.web.site import Site

# The deepest owner on a path answers it, and says what is wrong there.
site = Site(
    {
        "/": home,
        "/{file}": luarocks,
        "/{file}/{below}": home,
        "/favicon.svg": home,
        "/healthz": home,
        "/api": contentdb,
        "/api/tool_version": luarocks,
        "/api/1": luarocks,
        "/dev": luarocks,
        "/manifests": luarocks,
        "/m": luarocks,
        "/modules": luarocks,
        "/packages": hel,
        "/hel": hel,
        "/packages/{owner}/{name}": contentdb,
        "/uploads": contentdb,
        "/thumbnails": contentdb,
        "/tasks": contentdb,
        uploads.PATH: home,
        "/auth": hel,
        "/users": hel,
        "/profile": hel,
        "/v1": luadns,
        "/account": account,
        "/settings": account,
    }
)

app = Chalice(app_name="moonbase", configure_logs=False)
site.mount(app)


@app.schedule(Rate(1, unit=Rate.MINUTES))
def run_jobs(event: CloudWatchEvent) -> None:
    """Do the work that was promised."""
    jobs.report()
    jobs.enqueue_repeats()
    jobs.run_due()


@app.on_sqs_message(queue="moonbase-jobs", batch_size=10)
def wake_jobs(event: SQSEvent) -> None:
    """Do what was promised a moment ago; the template names the queue."""
    jobs.run_due()
