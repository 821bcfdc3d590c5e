;; only the version of an interface can have a suffix
(component (import "a" (versionsuffix ".0") (instance)))
