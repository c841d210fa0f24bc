"""Import and export: the files of the systems that Homing replaces, and its own -> core values, and back.

Text in, values out: pure, and above `homing.core` only. `imported.read` is the way in, `homing_json.render_export` the
way out. One file per format. No file is opened here and no store is asked: whether a row may be taken as the store
stands is for the caller to decide.
"""
