"""Moonbase: the Chalice app. It lists the slices of this server, and nothing else."""

from chalice.app import Chalice, CloudWatchEvent, Rate, SQSEvent

from chalicelib.account.slice import account
from chalicelib.contentdb.slice import contentdb
from chalicelib.core import job_runner, read_only, registry
from chalicelib.core.slice import core
from chalicelib.hel.slice import hel
from chalicelib.home.slice import home
from chalicelib.log.slice import log
from chalicelib.luadns.slice import luadns
from chalicelib.luarocks.slice import luarocks
from chalicelib.web.site import Site

SLICES = (core, luarocks, contentdb, luadns, hel, account, log, home)

registry.install(SLICES)
site = Site(SLICES, before_writing=read_only.require_writable)

app = Chalice(app_name="moonbase", configure_logs=False)
site.mount(app)


@app.schedule(Rate(1, unit=Rate.MINUTES))
def run_jobs(event: CloudWatchEvent) -> None:
    """Run the jobs that are due, every minute."""
    job_runner.report()
    job_runner.enqueue_repeats()
    job_runner.run_due(job_runner.seconds_of(event.context))


@app.on_sqs_message(queue="moonbase-jobs", batch_size=10)
def wake_jobs(event: SQSEvent) -> None:
    """Run jobs as soon as they are enqueued. The template names the queue."""
    job_runner.run_due(job_runner.seconds_of(event.context))
