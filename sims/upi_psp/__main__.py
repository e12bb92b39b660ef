"""`python -m sims.upi_psp`: serves until SIGTERM or SIGINT."""

from sims.observe import log_as_json
from sims.upi_psp.app import application
from sims.upi_psp.settings import UpiPspSettings
from sims.web import serve

if __name__ == "__main__":
    settings = UpiPspSettings()
    log_as_json("upi_psp")
    serve(application(settings), settings.host, settings.port)
