(component (import "a:b/c@0.2" (versionsuffix ".10-rc.1") (instance)) (import "a:b/c@1" (versionsuffix ".0.0") (instance)))
