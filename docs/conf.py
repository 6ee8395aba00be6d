"""How Sphinx makes the site."""

project = "Chainrule"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]

myst_enable_extensions = ["deflist", "attrs_block", "colon_fence"]

default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say more
autodoc_preserve_defaults = True
napoleon_attr_annotations = False

html_theme = "furo"
pygments_dark_style = "github-dark"
html_title = "Chainrule"
html_static_path = ["_static"]
html_css_files = ["chainrule.css"]
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False
COLOURS = {"light": "#1f6fb4", "dark": "#6db3f2"}
NAMES = ("color-brand-primary", "color-brand-content", "color-brand-visited", "color-api-name", "color-api-pre-name")
html_theme_options = {f"{theme}_css_variables": dict.fromkeys(NAMES, colour) for theme, colour in COLOURS.items()}
