"""`chainrule info`: what is installed and in use."""


def info() -> None:
    """Show the versions, the devices and the kernels that are in use.

    Example: `chainrule info`
    """
    import platform
    from importlib.metadata import version

    import jax

    from chainrule.cli import output
    from chainrule.kernels import native

    devices = ", ".join(dict.fromkeys(device.device_kind for device in jax.devices()))
    kernels = native.processor()
    facts = {
        "chainrule": version("chainrule"),
        "Python": platform.python_version(),
        "JAX": jax.__version__,
        "devices": f"{len(jax.devices())} × {devices}",
        "native kernels": kernels or "none. For faster layers install a C++ compiler, then chainrule again.",
    }
    for name, fact in facts.items():
        output.say((f"{name:<16}", "bold"), fact)
